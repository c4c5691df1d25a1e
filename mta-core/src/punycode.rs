//! Punycode, which spells a label beyond ASCII with ASCII letters (RFC 3492 §6.3).

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const FIRST_BIAS: u32 = 72;
const FIRST_CODE: u32 = 128;

/// Returns the label's Punycode without the `xn--`; `None` where it is too long to compute.
pub(crate) fn encode(label: &str) -> Option<String> {
    let codes: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (FIRST_CODE, 0_u32, FIRST_BIAS, basic);
    while (handled as usize) < codes.len() {
        let next = codes.iter().copied().filter(|&c| c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled.checked_add(1)?)?)?;
        n = next;
        for &code in &codes {
            if code < n {
                delta = delta.checked_add(1)?;
            }
            if code == n {
                push_number(&mut out, delta, bias)?;
                bias = adapt(delta, handled.checked_add(1)?, handled == basic);
                delta = 0;
                handled = handled.checked_add(1)?;
            }
        }
        delta = delta.checked_add(1)?;
        n = n.checked_add(1)?;
    }
    Some(out)
}

/// Writes one delta as a variable-length number.
fn push_number(out: &mut String, delta: u32, bias: u32) -> Option<()> {
    let mut rest = delta;
    let mut k = BASE;
    loop {
        let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if rest < t {
            out.push(digit(rest)?);
            return Some(());
        }
        out.push(digit(t + (rest - t) % (BASE - t))?);
        rest = (rest - t) / (BASE - t);
        k += BASE;
    }
}

fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > ((BASE - T_MIN) * T_MAX) / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

/// Returns a digit: `a` to `z` are 0 to 25, `0` to `9` are 26 to 35.
fn digit(value: u32) -> Option<char> {
    match u8::try_from(value).ok()? {
        letter @ 0..=25 => Some(char::from(b'a' + letter)),
        figure @ 26..=35 => Some(char::from(b'0' + figure - 26)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn labels_are_spelt_as_in_rfc_3492_and_in_use() {
        let rows = [
            ("bücher", "bcher-kva"),
            ("münchen", "mnchen-3ya"),
            ("例え", "r8jz45g"),
            ("пример", "e1afmkfd"),
            ("ü", "tda"),
        ];
        for (label, want) in rows {
            assert_eq!(encode(label).as_deref(), Some(want), "{label}");
        }
    }
}
