//! What a refusal says in SMTP: the code in parentheses at its end goes before the text (RFC 2034 §4).

use mta_core::{policy, qq};
use mta_proto::smtp::{Enhanced, Reply};

/// The queue program's refusal (spec §4).
pub(super) fn queue(refusal: &qq::Refusal) -> Reply {
    let code = if refusal.permanent { 554 } else { 451 };
    reply(code, &String::from_utf8_lossy(&refusal.text))
}

/// The policy's refusal (spec §8.2).
pub(super) fn policy(refusal: policy::Refusal) -> Reply {
    reply(refusal.code(), &refusal.to_string())
}

fn reply(code: u16, text: &str) -> Reply {
    let (text, enhanced) = match text.rsplit_once(" (#").and_then(split) {
        Some((text, enhanced)) => (text, enhanced),
        // Every reply has one; this says no more than the code does.
        None => (text, Enhanced::new(0, 0)),
    };
    Reply::new(code, text.to_owned()).with(enhanced)
}

/// Reads what stands behind ` (#`: class, subject and detail, and the parenthesis.
fn split<'a>((text, code): (&'a str, &str)) -> Option<(&'a str, Enhanced)> {
    let mut numbers = code.strip_suffix(')')?.split('.').map(str::parse);
    match [numbers.next()?, numbers.next()?, numbers.next()?] {
        [Ok(_class), Ok(subject), Ok(detail)] if numbers.next().is_none() => {
            Some((text, Enhanced::new(subject, detail)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_in_parentheses_comes_to_the_front() {
        let rows: [(&str, u16, &str, &str); 5] = [
            (
                "usual",
                451,
                "qqt failure (#4.3.0)",
                "451 4.3.0 qqt failure\r\n",
            ),
            (
                "none",
                554,
                "no virus please",
                "554 5.0.0 no virus please\r\n",
            ),
            ("class differs", 554, "x (#4.7.1)", "554 5.7.1 x\r\n"),
            ("no code", 554, "x (#a.b.c)", "554 5.0.0 x (#a.b.c)\r\n"),
            (
                "two lines",
                554,
                "a\nb (#5.7.1)",
                "554-5.7.1 a\r\n554 5.7.1 b\r\n",
            ),
        ];
        for (name, code, text, want) in rows {
            assert_eq!(reply(code, text).to_string(), want, "{name}");
        }
    }
}
