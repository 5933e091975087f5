"""What clients are told about keys and people."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from libs.messaging import Unavailable
from libs.web import Problem, ProblemOf, invalid_field
from libs.web.problems import UNAVAILABLE
from services.gateway.domain import erasures, exports, keys, members, subscriptions

NO_KEY = Problem(404, "key_not_found", "There is no such key", "GET /v1/keys lists those that there are.")
TOO_MANY_KEYS = Problem(
    409,
    "too_many_keys",
    "The organisation has as many keys as it may have",
    f"At most {keys.KEYS_MOST} are kept; revoke those that nobody uses (`last_used_at`).",
    {"limit": keys.KEYS_MOST},
)
PAST_EXPIRY = invalid_field("expires_at", "is past; name a time in the future")


def beyond(error: keys.BeyondOwnAccess) -> Problem:
    """Return the 403."""
    entry = {"field": error.field, "message": str(error)}
    return Problem(
        403, "beyond_own_access", "Nobody gives more than they have", f"{error.field}: {error}", {"errors": [entry]}
    )


BEYOND_ROLE = beyond(keys.BeyondOwnAccess("role", "your own role is admin; owners are beyond it"))
NO_MEMBER = Problem(404, "member_not_found", "There is no such member", "GET /v1/members lists those that there are.")
NO_INVITATION = Problem(
    404,
    "invitation_not_found",
    "There is no such invitation",
    "It may have been accepted, revoked, or have expired; ask for another one.",
)
LAST_OWNER = Problem(
    409,
    "last_owner",
    "An organisation keeps at least one owner",
    "Make another member an owner first.",
)
ALREADY_MEMBER = Problem(
    409, "already_member", "Somebody with this address is a member already", "GET /v1/members lists who is."
)
SOMEBODY_ELSE = Problem(
    409,
    "invited_somebody_else",
    "The invitation is for another address than yours",
    "Accept it as a new person by POST /v1/invitations/accept, or ask for one with your address.",
)
NOT_A_PERSON = Problem(
    403,
    "not_a_person",
    "The key is its organisation's own, and nobody's who could join",
    "Use a key that belongs to you, or POST /v1/invitations/accept.",
)
NOT_OPERATOR = Problem(
    403,
    "not_operator",
    "Only the operator may do that",
    "Use a key of the installation's first organisation; to make organisations, one of an owner of it.",
)
NO_ORGANIZATION = Problem(
    404,
    "organization_not_found",
    "There is no such organisation",
    "POST /v1/organizations told its `organization_id` when it was made.",
)
INVALID_END = invalid_field("end_date", "is past; name a moment to come, or leave it out")
ANALYTICS_AWAY = UNAVAILABLE
TOO_MANY_INVITATIONS = Problem(
    409,
    "too_many_invitations",
    "As many invitations wait as may",
    f"At most {members.INVITATIONS_MOST} wait at a time; revoke those that nobody will accept.",
    {"limit": members.INVITATIONS_MOST},
)
OWNERS_ERASE = beyond(keys.BeyondOwnAccess("role", "only owners erase an organisation"))
NOT_CONFIRMED = invalid_field("name", "is not the name of the organisation; GET /v1/organization says it")
OPERATOR_STAYS = Problem(
    409,
    "operator_stays",
    "The installation's first organisation is not erased",
    "It is the operator's; take the installation down instead.",
)
NO_ERASURE = Problem(404, "erasure_not_found", "There is no such erasure", "Its id was in the answer that began it.")

NO_EXPORT = Problem(404, "export_not_found", "There is no such export", "Its id was in the answer that began it.")
EXAMPLE = exports.ExportRunning(UUID("01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61"))


def export_running(error: exports.ExportRunning) -> Problem:
    """Return the 409."""
    return Problem(
        409,
        "export_running",
        "The same is being exported at the moment",
        f"GET /v1/exports/{error.export_id} says how far it is.",
        {"export_id": str(error.export_id)},
    )


EXPORT_NOT_READY = Problem(
    409,
    "export_not_ready",
    "Some service has not written its part yet",
    "GET /v1/exports/{id} says which: `waits_for`.",
)
EXPORT_EXPIRED = Problem(
    410,
    "export_expired",
    "The files of the export are gone",
    f"They are kept for {exports.KEPT.days} days, and those of a person until they are erased; export anew.",
)

ACCESS_PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    keys.KeyNotFound: lambda _error: NO_KEY,
    keys.TooManyKeys: lambda _error: TOO_MANY_KEYS,
    keys.BeyondOwnAccess: beyond,
    members.MemberNotFound: lambda _error: NO_MEMBER,
    members.InvitationNotFound: lambda _error: NO_INVITATION,
    members.LastOwner: lambda _error: LAST_OWNER,
    members.AlreadyMember: lambda _error: ALREADY_MEMBER,
    members.InvitedSomebodyElse: lambda _error: SOMEBODY_ELSE,
    members.NotAPerson: lambda _error: NOT_A_PERSON,
    members.NotOperator: lambda _error: NOT_OPERATOR,
    subscriptions.OrganizationNotFound: lambda _error: NO_ORGANIZATION,
    subscriptions.InvalidSubscription: lambda error: invalid_field(error.field, error.message),
    Unavailable: lambda _error: ANALYTICS_AWAY,
    members.TooManyInvitations: lambda _error: TOO_MANY_INVITATIONS,
    erasures.ErasureNotFound: lambda _error: NO_ERASURE,
    erasures.NotConfirmed: lambda _error: NOT_CONFIRMED,
    erasures.OperatorStays: lambda _error: OPERATOR_STAYS,
    exports.ExportNotFound: lambda _error: NO_EXPORT,
    exports.ExportRunning: export_running,
    exports.ExportNotReady: lambda _error: EXPORT_NOT_READY,
    exports.ExportExpired: lambda _error: EXPORT_EXPIRED,
    keys.InvalidExpiry: lambda _error: PAST_EXPIRY,
}
