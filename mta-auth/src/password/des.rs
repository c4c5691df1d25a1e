//! DES crypt strings: two letters of salt and eleven of digest, and BSDi's `_` form (crypt(5)). Verified only.

use super::des_tables::{FP, IP, P, PC1, PC2, ROTATIONS, S};
use super::{MAX_BSDI_COUNT, itoa64};

/// How often the traditional form encrypts.
const COUNT: u32 = 25;

/// Computes what crypt(3) would return for the salt in `stored`; `None` where it is damaged.
pub(super) fn recompute(password: &[u8], stored: &[u8]) -> Option<String> {
    let head = stored.get(..2)?;
    if stored.len() != 13 {
        return None;
    }
    let salt = u32::try_from(itoa64::number(head)?).ok()?;
    let digest = Des::new(key_of(password)).encrypt(0, salt, COUNT);
    Some(format!(
        "{}{}",
        std::str::from_utf8(head).ok()?,
        letters(digest)
    ))
}

/// Computes the same for `_`, four letters of count, four of salt, eleven of digest.
pub(super) fn recompute_bsdi(password: &[u8], stored: &[u8]) -> Option<String> {
    let head = stored.get(..9)?;
    let count = u32::try_from(itoa64::number(stored.get(1..5)?)?).ok()?;
    let salt = u32::try_from(itoa64::number(stored.get(5..9)?)?).ok()?;
    if stored.len() != 20 || count == 0 || count > MAX_BSDI_COUNT {
        return None;
    }
    let mut pieces = password.chunks(8);
    let mut key = key_of(pieces.next().unwrap_or_default());
    for piece in pieces {
        key = Des::new(key).encrypt(key, 0, 1) ^ key_of(piece);
    }
    let digest = Des::new(key).encrypt(0, salt, count);
    Some(format!(
        "{}{}",
        std::str::from_utf8(head).ok()?,
        letters(digest)
    ))
}

/// The lower seven bits of the first eight bytes; what would be the parity stays 0.
fn key_of(password: &[u8]) -> u64 {
    let padded = password.iter().copied().chain(std::iter::repeat(0));
    padded
        .take(8)
        .fold(0, |key, byte| key << 8 | u64::from(byte << 1))
}

/// Eleven letters, most significant bits first.
fn letters(digest: u64) -> String {
    let wide = u128::from(digest) << 2;
    (0..11)
        .rev()
        .map(|at| itoa64::letter(u32::try_from(wide >> (6 * at) & 63).unwrap_or(0)))
        .collect()
}

/// Collects bits of a value of `width` bits in the order of a table.
fn permute(value: u64, width: u32, table: &[u8]) -> u64 {
    table.iter().fold(0, |out, &from| {
        out << 1 | (value >> (width.saturating_sub(u32::from(from))) & 1)
    })
}

/// The cipher with one key: its keys of rounds, and S-boxes with their permutation behind them.
struct Des {
    rounds: [u64; 16],
    boxes: [[u32; 64]; 8],
}

impl Des {
    fn new(key: u64) -> Self {
        const HALF: u64 = 0xfff_ffff;
        let chosen = permute(key, 64, &PC1);
        let (mut c, mut d) = (chosen >> 28, chosen & HALF);
        let rounds = ROTATIONS.map(|by| {
            c = (c << by | c >> (28 - by)) & HALF;
            d = (d << by | d >> (28 - by)) & HALF;
            permute(c << 28 | d, 56, &PC2)
        });
        let mut boxes = [[0; 64]; 8];
        for ((place, rows), shift) in boxes.iter_mut().zip(S).zip((0..8).rev()) {
            for (input, slot) in (0_u32..).zip(place.iter_mut()) {
                // The outer bits of the six name the row, the inner ones the column.
                let row = (input >> 4 & 2 | input & 1) as usize;
                let column = input >> 1 & 15;
                let values = rows.get(row).copied().unwrap_or_default();
                let value = values >> (60 - 4 * column) & 15;
                let spread = permute(value << (4 * shift), 32, &P);
                *slot = u32::try_from(spread).unwrap_or_default();
            }
        }
        Self { rounds, boxes }
    }

    /// Encrypts `count` times over; the salt says which bits of the expansion change sides.
    fn encrypt(&self, block: u64, salt: u32, count: u32) -> u64 {
        let swap = u64::from(salt.reverse_bits() >> 8);
        let block = permute(block, 64, &IP);
        let (mut left, mut right) = halves(block);
        for _ in 0..count {
            for key in self.rounds {
                (left, right) = (right, left ^ self.round(right, key, swap));
            }
            (left, right) = (right, left);
        }
        permute(u64::from(left) << 32 | u64::from(right), 64, &FP)
    }

    fn round(&self, half: u32, key: u64, swap: u64) -> u32 {
        let mut wide = expand(half);
        let crossing = (wide >> 24 ^ wide) & swap;
        wide ^= crossing << 24 | crossing;
        wide ^= key;
        self.boxes
            .iter()
            .zip((0..8).rev())
            .fold(0, |out, (values, at)| {
                let input = usize::try_from(wide >> (6 * at) & 63).unwrap_or(0);
                out ^ values.get(input).copied().unwrap_or_default()
            })
    }
}

fn halves(block: u64) -> (u32, u32) {
    let low = block & u64::from(u32::MAX);
    (
        u32::try_from(block >> 32).unwrap_or_default(),
        u32::try_from(low).unwrap_or_default(),
    )
}

/// Makes 48 bits of 32: six for each four, with a neighbour on both sides.
fn expand(half: u32) -> u64 {
    // One bit more on each side, as the ends are neighbours.
    let ring = u64::from(half) << 1 | u64::from(half >> 31) | u64::from(half & 1) << 33;
    (0..8)
        .rev()
        .fold(0, |out, at| out << 6 | (ring >> (4 * at) & 63))
}
