//! The codes of problems: one list, from which the OpenAPI document and `docs/problems.md` are made.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($variant:ident $text:literal $status:literal $title:literal $when:literal,)*) => {
        /// What went wrong. Stable; new ones may come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = ProblemCode)]
        pub enum Code {
            $(#[doc = $when] $variant,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Self::$variant => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
            /// When it is answered, and what to do about it.
            pub fn when(self) -> &'static str {
                match self { $(Self::$variant => $when,)* }
            }
        }
    };
}

codes! {
    BadRequest "bad_request" 400 "Request not understood" "The request cannot be understood at all.",
    InvalidJson "invalid_json" 400 "Not JSON" "The body is not JSON, or names a member of an object twice; `line` and `column` say where.",
    InvalidQuery "invalid_query" 400 "Wrong query" "A query parameter is unknown, there twice or wrong, or a cursor is not one of ours or belongs to another sort or filter.",
    InvalidHeader "invalid_header" 400 "Wrong header" "A request header (`If-Match`, `If-None-Match`, `Idempotency-Key`, `Last-Event-ID`) cannot be parsed or contradicts another.",
    Unauthenticated "unauthenticated" 401 "Credential required" "No credential, or one that is unknown, expired or revoked: send `Authorization: Bearer <token>`.",
    SignInFailed "sign_in_failed" 401 "Not signed in" "E-mail address, password or code is wrong, the account is disabled, or the session or link is over: which of these is never said.",
    TotpRequired "totp_required" 401 "Code wanted" "The password is right, and the account wants a code of its authenticator, or a recovery code, beside it: send it as `totp`.",
    Forbidden "forbidden" 403 "Not allowed" "The credential is good and may not do that.",
    CrossSite "cross_site" 403 "From another site" "A browser sent it on behalf of a page of another site: with a cookie, or to a route that takes one.",
    OwnChange "own_change" 403 "One's own change" "Who had a part in a change, or made the token that did, cannot approve it: somebody else must.",
    NotFound "not_found" 404 "Not found" "There is nothing at the path, or nothing that the caller may know of.",
    MethodNotAllowed "method_not_allowed" 405 "Method not allowed" "The path does not take this method; `Allow` names those it takes.",
    Timeout "timeout" 408 "Too slow" "The body did not arrive in time.",
    Taken "taken" 409 "Taken" "Something in the resource may be there only once in all of them (a hostname), and another has it.",
    InUse "in_use" 409 "In use" "What is to be deleted is used; `used_by` names the users.",
    Conflict "conflict" 409 "Conflict" "The state of the system is against it; the detail says what. Of a change set: what it holds was changed since its base by somebody else, too; `conflicts` has both sides.",
    PlanChanged "plan_changed" 409 "No longer the plan" "What committing would do is no longer what the plan with this digest said: make a new plan and look at it. Nothing was committed.",
    Gone "gone" 410 "Kept no more" "What that revision was is no longer kept: the setting `database.history_days` says how long it is.",
    AlreadyExists "already_exists" 412 "Exists already" "`If-None-Match: *` was sent and the object exists; `current` is its representation.",
    PreconditionFailed "precondition_failed" 412 "Changed meanwhile" "`If-Match` does not name the current version; `current` is its representation.",
    BodyTooLarge "body_too_large" 413 "Body too large" "The body is over the limit: 1 MiB, 32 MiB for entries of IP lists.",
    UnsupportedMediaType "unsupported_media_type" 415 "Unsupported media type" "The content type is not one that the operation takes, or the body is compressed (`Content-Encoding`).",
    Invalid "invalid" 422 "Invalid" "The body was parsed and is wrong; `errors` points at each fault.",
    Refused "refused" 422 "Refused by an engine" "HAProxy or guard-spoa said no to the content; `said` is its own words, `errors` points at the cause where it is known. Without `deployment` nothing was committed. With it the change was committed, an engine or a probe said no when it was brought to the node, and it was taken back: the objects are as they were, and the content stays as a change set in state `refused`, to be mended and committed again.",
    PruneAll "prune_all" 422 "Would delete everything" "With `prune` the tree would delete every object that there is. Nothing was staged.",
    TooExpensive "too_expensive" 422 "Too expensive to compile" "An engine took too long over the content, or broke on it: make rules fewer or simpler. Nothing was committed.",
    TooLarge "too_large" 422 "Too many rules in all" "The rules of all policies together would be over the limit of 32 MiB of SecLang. Nothing was committed.",
    IdempotencyMismatch "idempotency_mismatch" 422 "Key used before" "The `Idempotency-Key` was used for another request.",
    PreconditionRequired "precondition_required" 428 "Precondition required" "Changing what exists wants `If-Match`.",
    TooMany "too_many" 429 "Too many at once" "The principal has as many of these under way as one may (16 streams, 100 requests with an `Idempotency-Key`): end one. Or too many attempts to sign in, for the account, from the address, or of all: try again after `Retry-After` seconds.",
    HeadersTooLarge "headers_too_large" 431 "Headers too large" "The request headers are over 64 KiB.",
    Internal "internal" 500 "Our fault" "Something went wrong on our side; the request id finds it in our log.",
    Unavailable "unavailable" 503 "Away" "Something that this needs (the database, an engine) is away; try again after `Retry-After` seconds.",
    TookTooLong "took_too_long" 503 "Took too long" "We did not finish in time; whether a write was committed is not known: read before trying again.",
}

/// `docs/problems.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Problems\n\nGenerated from `src/api/codes.rs` by `make docs`; do not edit. `type` is `urn:guard-proxy:problem:<code>`.\n\n\
         | code | status | title | when |\n| --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        out.push_str(&format!("| `{}` | {} | {} | {} |\n", code.as_str(), code.status().as_u16(), code.title(), code.when()));
    }
    out
}
