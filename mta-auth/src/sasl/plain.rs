//! The one message of PLAIN (RFC 4616 §2).

use super::exchange::{Question, Reason};
use super::{MAX_NAME, Secret};

/// Reads `[authzid] NUL authcid NUL passwd`. An authzid must be the name itself: nobody acts for
/// somebody else here.
pub(super) fn parse(message: &[u8]) -> Result<Question, Reason> {
    let mut fields = message.split(|&b| b == 0);
    let (Some(acting_for), Some(name), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Reason::Malformed);
    };
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Reason::Malformed);
    }
    if !acting_for.is_empty() && !acting_for.eq_ignore_ascii_case(name) {
        return Err(Reason::Authorization);
    }
    Ok(Question::Password {
        name: name.to_vec(),
        password: Secret::new(password),
    })
}

/// Writes it.
pub(super) fn message(name: &[u8], password: &[u8]) -> Vec<u8> {
    [b"", name, password].join(&0)
}
