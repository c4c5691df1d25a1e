//! Argon2 strings, `$argon2id$` and `$argon2i$` (RFC 9106, PHC string format).

use super::{MAX_ARGON2_LANES, MAX_ARGON2_MEMORY, MAX_ARGON2_WORK};
use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64Unpadded, Encoding as _};

const SALT_LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;
const DIGEST_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// What `m=,t=,p=` say: KiB, passes, lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) memory: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Work {
    /// Tells whether it stays within what one login may cost.
    pub(super) fn is_bounded(self) -> bool {
        let work = u64::from(self.memory).saturating_mul(u64::from(self.passes));
        self.memory <= MAX_ARGON2_MEMORY
            && work <= MAX_ARGON2_WORK
            && (1..=MAX_ARGON2_LANES).contains(&self.lanes)
    }

    fn parse(field: &str) -> Option<Self> {
        let mut parts = field.split(',');
        let mut part = |name: &str| {
            let digits = parts.next()?.strip_prefix(name)?;
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse::<u32>().ok())?
        };
        let work = Self {
            memory: part("m=")?,
            passes: part("t=")?,
            lanes: part("p=")?,
        };
        parts.next().is_none().then_some(work)
    }
}

struct Parsed<'a> {
    head: &'a str,
    kind: Algorithm,
    version: Version,
    work: Work,
    salt: Vec<u8>,
    length: usize,
}

/// The work that a string says, if it is one that is worked through here.
pub(super) fn work(stored: &[u8]) -> Option<Work> {
    Some(parse(std::str::from_utf8(stored).ok()?)?.work)
}

fn parse(text: &str) -> Option<Parsed<'_>> {
    let (head, digest) = text.rsplit_once('$')?;
    let mut fields = head.strip_prefix('$')?.split('$');
    let kind = match fields.next()? {
        "argon2id" => Algorithm::Argon2id,
        "argon2i" => Algorithm::Argon2i,
        _ => return None,
    };
    let version = match fields.next()? {
        "v=19" => Version::V0x13,
        "v=16" => Version::V0x10,
        _ => return None,
    };
    let work = Work::parse(fields.next()?)?;
    let salt = Base64Unpadded::decode_vec(fields.next()?).ok()?;
    let length = Base64Unpadded::decode_vec(digest).ok()?.len();
    let fits = work.is_bounded()
        && fields.next().is_none()
        && SALT_LENGTHS.contains(&salt.len())
        && DIGEST_LENGTHS.contains(&length);
    fits.then_some(Parsed {
        head,
        kind,
        version,
        work,
        salt,
        length,
    })
}

/// Computes the string that this password would have with the setting in `stored`; `None` where
/// it is damaged or too costly.
pub(super) fn recompute(password: &[u8], stored: &[u8]) -> Option<String> {
    let parsed = parse(std::str::from_utf8(stored).ok()?)?;
    let digest = digest(password, &parsed)?;
    Some(format!("{}${digest}", parsed.head))
}

/// Makes a new `$argon2id$` string.
pub(super) fn make(password: &[u8], work: Work, salt: [u8; 16]) -> Option<String> {
    let Work {
        memory,
        passes,
        lanes,
    } = work;
    let text = Base64Unpadded::encode_string(&salt);
    let head = format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${text}");
    let parsed = Parsed {
        head: &head,
        kind: Algorithm::Argon2id,
        version: Version::V0x13,
        work,
        salt: salt.to_vec(),
        length: 32,
    };
    Some(format!("{head}${}", digest(password, &parsed)?))
}

fn digest(password: &[u8], parsed: &Parsed<'_>) -> Option<String> {
    let Work {
        memory,
        passes,
        lanes,
    } = parsed.work;
    let params = Params::new(memory, passes, lanes, Some(parsed.length)).ok()?;
    let mut out = vec![0_u8; parsed.length];
    Argon2::new(parsed.kind, parsed.version, params)
        .hash_password_into(password, &parsed.salt, &mut out)
        .ok()?;
    Some(Base64Unpadded::encode_string(&out))
}
