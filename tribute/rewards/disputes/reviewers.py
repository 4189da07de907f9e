"""Who may open a dispute, vouch for its receipt and decide it. Posts and records nothing."""

from collections.abc import Collection, Mapping

from tribute.contributions.registry import organisations_of, public_keys
from tribute.errors import IntegrityError, RewardError
from tribute.rewards.disputes.dispute import Dispute
from tribute.rewards.policy.policy import Policy


def check_speaker(tree: Mapping[str, bytes], policy: Policy, contributor: str, by: str) -> None:
    """Raise RewardError unless `by` may dispute for a contributor: they, their organisation or a steward."""
    speakers = [contributor, *organisations_of(tree, contributor), *policy.stewards]
    if by not in speakers:
        raise RewardError(
            f"{by} may not dispute for {contributor}; the contributor, their organisation or one of the policy's "
            f"stewards may: {', '.join(speakers)}"
        )


def check_witness(
    tree: Mapping[str, bytes], policy: Policy, parties: Collection[str], witness: str, public: str
) -> None:
    """Raise RewardError unless `witness` may vouch for the day of receipt with the key of this public half."""
    known = sorted({*policy.stewards, *policy.closers, *policy.reviewers} - set(parties))
    if witness not in known:
        raise RewardError(
            f"{witness} cannot vouch for the day on which this dispute came in; it takes a second person, "
            f"one of {', '.join(known) or 'nobody'}"
        )
    if public_keys(tree, witness)[-1:] != [public]:
        raise RewardError(f"the key given is not the latest of {witness}; register it with `tribute key new {witness}`")


def check(tree: Mapping[str, bytes], dispute: Dispute, policy: Policy, by: str, public: str) -> None:
    """Raise unless `by` may decide now with the key of this public half, and all who decided so far might, too.

    `tree` is the registry's. Raises RewardError, or IntegrityError for a decision with a key that is not theirs.
    """
    _check_reviewer(dispute, policy, by)
    if public_keys(tree, by)[-1:] != [public]:
        raise RewardError(f"the key given is not the latest of {by}; register it with `tribute key new {by}`")
    if any(opinion["key"] == public and opinion["by"] != by for opinion in dispute.opinions):
        raise RewardError(f"{by} signs with the key of another reviewer; two different keys have to decide")
    # Chain and signatures tell that an event is whole, not that a reviewer wrote it.
    for opinion in dispute.opinions:
        reviewer = opinion["by"]
        _check_reviewer(dispute, policy, reviewer)
        if opinion["key"] not in public_keys(tree, reviewer):
            raise IntegrityError(
                f"dispute {dispute.id}: a decision of {reviewer} is signed with a key that {reviewer} never had; "
                "restore its dispute.json"
            )


def _check_reviewer(dispute: Dispute, policy: Policy, by: str) -> None:
    if by not in policy.reviewers:
        known = ", ".join(policy.reviewers) or "nobody"
        raise RewardError(f"{by} is not among the policy's reviewers ({known}); somebody else has to decide")
    if by in (dispute.contributor_id, dispute.opened_by):
        raise RewardError(f"{by} is a party to {dispute.id}; somebody else has to decide")
    if dispute.outcomes and by in dispute.outcomes[-1]["reviewers"]:
        raise RewardError(f"{by} decided {dispute.id} before its appeal; two others have to decide now")
