"""The errors that the model answers, by the names that CloudWatch gives them."""


class ModelError(Exception):
    """An answer that refuses a request.

    Attributes:
        code: the error's code as a boto3 client reads it, for instance ``ResourceNotFound``.
        status: the HTTP status that the front answers with.
    """

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation_error(message: str) -> ModelError:
    """Return CloudWatch's answer to a request that is wrong in its shape or values."""
    return ModelError("ValidationError", message)


def resource_not_found(message: str) -> ModelError:
    """Return CloudWatch's answer to a name that does not exist (HTTP 404 in the SDK model)."""
    return ModelError("ResourceNotFound", message, status=404)


def resource_not_found_exception(message: str) -> ModelError:
    """Return the same as the operations on mute rules name it (SDK model, its error shapes)."""
    return ModelError("ResourceNotFoundException", message, status=404)


def invalid_parameter_value(message: str) -> ModelError:
    """Return the answer of ``PutMetricData`` to a value that it does not take."""
    return ModelError("InvalidParameterValue", message)


def invalid_next_token() -> ModelError:
    """Return the answer to a pagination token that this model did not hand out."""
    return ModelError("InvalidNextToken", "The next token specified is invalid.")


def invalid_format(message: str) -> ModelError:
    """Return the answer of ``SetAlarmState`` to reason data that is not JSON."""
    return ModelError("InvalidFormat", message)
