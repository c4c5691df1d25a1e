//! bcrypt strings, `$2a$`, `$2b$` and `$2y$`: COST `$`, 22 letters of salt and 31 of digest (crypt(5)).

use super::MAX_BCRYPT_COST;

const LETTERS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// More of a password is not looked at.
pub(super) const MAX_KEY: usize = 72;

/// The cost that a string says, if it is one that is worked through here.
pub(super) fn cost(stored: &[u8]) -> Option<u32> {
    let cost: u32 = std::str::from_utf8(stored.get(4..6)?).ok()?.parse().ok()?;
    let whole = stored.len() == 60 && stored.get(6) == Some(&b'$');
    (whole && (4..=MAX_BCRYPT_COST).contains(&cost)).then_some(cost)
}

/// Computes what crypt(3) would return for the setting in `stored`; `None` where it is damaged.
///
/// The salt's last letter carries four unused bits, so it is copied instead of being encoded anew.
pub(super) fn recompute(password: &[u8], stored: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(stored.get(..29)?).ok()?;
    let salt = decode_salt(stored.get(7..29)?)?;
    digest(password, cost(stored)?, salt).map(|digest| format!("{head}{digest}"))
}

/// Makes a new string.
pub(super) fn make(password: &[u8], cost: u32, salt: [u8; 16]) -> Option<String> {
    let digest = digest(password, cost, salt)?;
    Some(format!("$2b${cost:02}${}{digest}", encode(&salt)))
}

fn digest(password: &[u8], cost: u32, salt: [u8; 16]) -> Option<String> {
    let mut key = [0_u8; MAX_KEY];
    let used = password.len().min(MAX_KEY);
    key.get_mut(..used)?.copy_from_slice(password.get(..used)?);
    let with_nul = used.saturating_add(1).min(MAX_KEY);
    let out = bcrypt::bcrypt(cost, salt, key.get(..with_nul)?);
    Some(encode(out.get(..23)?))
}

fn decode_salt(text: &[u8]) -> Option<[u8; 16]> {
    let mut out = [0_u8; 16];
    let mut bits = 0_u32;
    let mut have = 0_u32;
    let mut slots = out.iter_mut();
    for letter in text {
        let value = LETTERS.iter().position(|l| l == letter)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
        have += 6;
        if have >= 8 {
            have -= 8;
            if let Some(slot) = slots.next() {
                *slot = u8::try_from(bits >> have & 0xff).ok()?;
            }
        }
    }
    slots.next().is_none().then_some(out)
}

/// Most significant bits first, unlike the other forms.
fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(31);
    let mut bits = 0_u32;
    let mut have = 0_u32;
    let letter = |value: u32| char::from(LETTERS.get(value as usize & 63).copied().unwrap_or(b'.'));
    for &byte in bytes {
        bits = (bits << 8 | u32::from(byte)) & 0xffff;
        have += 8;
        while have >= 6 {
            have -= 6;
            out.push(letter(bits >> have));
        }
    }
    if have > 0 {
        out.push(letter(bits << (6 - have)));
    }
    out
}
