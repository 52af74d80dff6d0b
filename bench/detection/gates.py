"""MIRROR OF THE PRODUCT: what stands before a rollback besides the numbers of the version itself.

For deploys that give all traffic to the new version at once. To be pointed at the product's own
gates; until then these three say what they do, over whole arrays. Nothing else of the product is
written a second time in this study.

1. wake-up: the alias' alarm, M of N minutes, is in ALARM.
2. onset: the alarm fired at most `BAKE_MINUTES` after the deploy, and the alarm's own window and
   two minutes of tolerance later; what began later is not blamed on it.
3. siblings: none of them was above its threshold in the newest minute or the one before.

While traffic is shifting none of them is asked: the watcher judges each minute, and the version
before serves beside the new one.
"""

import numpy as np

from bench.detection.rivals import latest
from bench.detection.traffic import HISTORY, LAG, MINUTE, WATCH, Flags, Traffic
from rollback_responder.domain.metric import Share

BAKE_MINUTES, TOLERANCE_MINUTES = 10, 2


def allowed(
    traffic: Traffic, question: Share, *, onset: bool = True, siblings: Flags | None = None
) -> Flags:
    """In which minutes a convicted version would be rolled back.

    Args:
        traffic: what was counted.
        question: whose M, N, threshold and floor the alarm has.
        onset: whether the second gate stands.
        siblings: in which minutes one of them fails, [runs, HISTORY + WATCH]; None for no siblings.

    Returns:
        [runs, WATCH].
    """
    firing = alias_alarm(traffic, question)
    may = firing
    if onset:
        latest_at = MINUTE * (BAKE_MINUTES + question.minutes + TOLERANCE_MINUTES)
        may = may & (fired_at(firing) <= (traffic.deploy_at + latest_at)[:, None])
    if siblings is not None:
        may = may & ~(siblings | np.pad(siblings, ((0, 0), (1, 0)))[:, :-1])
    return may[:, HISTORY : HISTORY + WATCH]


def alias_alarm(traffic: Traffic, question: Share) -> Flags:
    """When the alarm on all traffic is in ALARM. [runs, HISTORY + WATCH].

    A minute with fewer requests than the question's floor counts as zero percent.
    """
    requests, errors = traffic.old_requests.copy(), traffic.old_errors.copy()
    requests[:, HISTORY:] += traffic.new_requests
    errors[:, HISTORY:] += traffic.new_errors
    percent = question.threshold_percent or 0.0
    bad = (requests >= question.minimum_requests_a_minute) & (100 * errors > percent * requests)
    firing: Flags = latest(bad.astype(np.int64), question.minutes) >= question.breaching_minutes
    return firing


def fired_at(firing: Flags) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Since when the alarm has been in ALARM, in seconds from minute 0; infinite where it is not.

    CloudWatch sees a minute `LAG` after its end.
    """
    before = np.pad(firing, ((0, 0), (1, 0)))[:, :-1]
    minutes = np.arange(firing.shape[1])[None, :]
    began = np.maximum.accumulate(np.where(firing & ~before, minutes, -1), axis=1)
    return np.where(firing, (began - HISTORY + 1) * MINUTE + LAG, np.inf)
