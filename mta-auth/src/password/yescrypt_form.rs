//! yescrypt strings, `$y$`: parameters, salt and digest, Debian's default (crypt(5)).

use super::{MAX_YESCRYPT_BYTES, MAX_YESCRYPT_TIME, itoa64};
use yescrypt::{Mode, Params};

/// The one flavour that is in use: `YESCRYPT_DEFAULTS`.
const NATIVE: u32 = 47;
/// What crypt_gensalt(3) writes: 4096 blocks of 4 KiB.
pub(super) const USUAL: &str = "j9T";
const USUAL_BLOCKS: u32 = 4096;
const USUAL_SIZE: u32 = 32;
const MAX_SALT: usize = 86;

/// What a parameter field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    blocks: u64,
    size: u32,
    lanes: u32,
    time: u32,
}

impl Work {
    const USUAL: Self = Self {
        blocks: USUAL_BLOCKS as u64,
        size: USUAL_SIZE,
        lanes: 1,
        time: 0,
    };

    /// Reads the field; `None` where it is damaged, of another flavour or too costly.
    pub(super) fn parse(field: &[u8]) -> Option<Self> {
        let mut rest = field;
        if variable(&mut rest, 0)? != NATIVE {
            return None;
        }
        let exponent = variable(&mut rest, 1)?;
        let size = variable(&mut rest, 1)?;
        let (mut lanes, mut time) = (1, 0);
        if !rest.is_empty() {
            let have = variable(&mut rest, 1)?;
            if have & 1 != 0 {
                lanes = variable(&mut rest, 2)?;
            }
            if have & 2 != 0 {
                time = variable(&mut rest, 1)?;
            }
            // Hashes that were upgraded or need a ROM.
            if have & !3 != 0 {
                return None;
            }
        }
        let blocks = 1_u64.checked_shl(exponent)?;
        let bytes = blocks.checked_mul(u64::from(size))?.checked_mul(128)?;
        let bounded = exponent < 32
            && bytes <= MAX_YESCRYPT_BYTES
            && time <= MAX_YESCRYPT_TIME
            && u64::from(lanes) < blocks / 2;
        (rest.is_empty() && bounded).then_some(Self {
            blocks,
            size,
            lanes,
            time,
        })
    }

    /// Tells whether it is at least what is written today.
    pub(super) fn is_usual_or_more(self) -> bool {
        let bytes = |work: Self| work.blocks.saturating_mul(u64::from(work.size));
        bytes(self) >= bytes(Self::USUAL)
    }

    fn params(self) -> Option<Params> {
        let Self {
            blocks,
            size,
            lanes,
            time,
        } = self;
        Params::new_with_all_params(Mode::Rw, blocks, size, lanes, time, 0).ok()
    }
}

/// The fields behind `$y$`: parameters, salt, digest.
pub(super) fn fields(stored: &[u8]) -> Option<[&[u8]; 3]> {
    let mut fields = stored.strip_prefix(b"$y$")?.split(|&b| b == b'$');
    let found = [fields.next()?, fields.next()?, fields.next()?];
    fields.next().is_none().then_some(found)
}

/// Computes what crypt(3) would return for the setting in `stored`; `None` where it is damaged.
pub(super) fn recompute(password: &[u8], stored: &[u8]) -> Option<String> {
    let [field, salt, _] = fields(stored)?;
    if salt.len() > MAX_SALT {
        return None;
    }
    let digest = digest(password, &itoa64::decode(salt)?, Work::parse(field)?)?;
    let (field, salt) = (
        std::str::from_utf8(field).ok()?,
        std::str::from_utf8(salt).ok()?,
    );
    Some(format!("$y${field}${salt}${digest}"))
}

/// Makes a new string.
pub(super) fn make(password: &[u8], salt: [u8; 16]) -> Option<String> {
    let digest = digest(password, &salt, Work::USUAL)?;
    Some(format!("$y${USUAL}${}${digest}", itoa64::encode(&salt)))
}

fn digest(password: &[u8], salt: &[u8], work: Work) -> Option<String> {
    let mut out = [0_u8; 32];
    yescrypt::yescrypt(password, salt, &work.params()?, &mut out).ok()?;
    Some(itoa64::encode(&out))
}

/// Reads a number of variable length: the first letter tells how many follow.
fn variable(rest: &mut &[u8], least: u32) -> Option<u32> {
    let (&first, mut behind) = rest.split_first()?;
    let first = u64::from(itoa64::value(first)?);
    let (mut start, mut end, mut bits) = (0_u64, 47_u64, 0_u32);
    let mut number = u64::from(least);
    while first > end {
        number = number.checked_add(end.checked_add(1)?.checked_sub(start)?.checked_shl(bits)?)?;
        start = end.checked_add(1)?;
        end = start.checked_add(62_u64.checked_sub(end)? / 2)?;
        bits = bits.checked_add(6)?;
    }
    number = number.checked_add(first.checked_sub(start)?.checked_shl(bits)?)?;
    while bits > 0 {
        let (&letter, tail) = behind.split_first()?;
        behind = tail;
        bits = bits.checked_sub(6)?;
        number = number.checked_add(u64::from(itoa64::value(letter)?).checked_shl(bits)?)?;
    }
    *rest = behind;
    u32::try_from(number).ok()
}
