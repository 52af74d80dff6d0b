"""Which account and region a person means, asked before AWS is; and what mends what AWS refuses."""

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.bootstrap import people
from rollback_responder.cli.failure import BadUsage, NotRead

SIGN_IN = "; sign in first, or name a profile with --profile"
NOBODY = "; no AWS credentials were found: sign in first, or name a profile with --profile"
ANEW = "; sign in again"
MAY_NOT = "; these credentials may not: allow it to them, or name others with --profile"
HERE = "; is it in this account and region? They are named with --profile and --region"
MENDS = {
    "NoCredentialsError": NOBODY,
    "PartialCredentialsError": SIGN_IN,
    "CredentialRetrievalError": SIGN_IN,
    "InvalidClientTokenId": SIGN_IN,
    "UnrecognizedClientException": SIGN_IN,
    "SSOTokenLoadError": ANEW,
    "UnauthorizedSSOTokenError": ANEW,
    "TokenRetrievalError": ANEW,
    "ExpiredToken": ANEW,
    "ExpiredTokenException": ANEW,
    "AccessDenied": MAY_NOT,
    "AccessDeniedException": MAY_NOT,
    "ValidationError": HERE,
    "ResourceNotFoundException": HERE,
    "EndpointConnectionError": "; is there a network, and is the region right?",
}


def cure_of(error: BaseException) -> str:
    """What mends an error whose cause is one of AWS's, if it does not say so itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AwsError):
            cure = MENDS.get(name_of(cause), "")
            return "" if cure in str(error) else cure
        cause = cause.__cause__
    return ""


def known_region(place: people.Place) -> str:
    """The region that is meant: as asked for, else as the AWS configuration says.

    Raises:
        BadUsage: there is no such profile, or it is no region.
        NotRead: no region is known.
    """
    try:
        found = people.region_of(place)
    except AwsError as error:
        raise _refused(place, error) from error
    if found is None:
        raise NotRead(
            "--region: got nothing, and neither the environment nor the AWS configuration names "
            "one; allowed: a region such as eu-west-1; name it with --region or AWS_REGION"
        )
    return found


def _refused(place: people.Place, error: Exception) -> BadUsage | NotRead:
    match name_of(error):
        case "ProfileNotFound":
            option = "--profile" if place.profile else "AWS_PROFILE"
            got = getattr(error, "kwargs", {}).get("profile", place.profile)
            known = ", ".join(people.profiles()) or "none, your AWS configuration has no profile"
            return BadUsage(
                f"{option}: got {got!r}; allowed: {known}; name one of these, or add it to your "
                "AWS configuration"
            )
        case "InvalidRegionError":
            option = "--region" if place.region else "the region of your AWS configuration"
            got = place.region or getattr(error, "kwargs", {}).get("region_name")
            return BadUsage(
                f"{option}: got {got!r}; allowed: a region such as eu-west-1; name it as AWS does"
            )
        case name:
            return NotRead(f"your AWS configuration could not be read: {name}; mend the file")
