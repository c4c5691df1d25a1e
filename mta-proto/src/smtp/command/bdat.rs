//! BDAT (RFC 3030 §2).

use super::{BadCommand, Command};
use nom::Parser;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::{space1, u64};
use nom::combinator::{all_consuming, opt};
use nom::sequence::preceded;

/// Reads the argument.
///
/// ```abnf
/// bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CRLF
/// chunk-size = 1*DIGIT
/// end-marker = "LAST"
/// ```
pub(super) fn parse(argument: &[u8]) -> Result<Command, BadCommand> {
    let marker = preceded(space1::<_, nom::error::Error<_>>, tag_no_case("LAST"));
    match all_consuming((u64, opt(marker))).parse(argument) {
        Ok((_, (size, last))) => Ok(Command::Bdat {
            size,
            last: last.is_some(),
        }),
        Err(_) => Err(BadCommand::BdatArgument),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_digits_and_perhaps_last() {
        let taken = |size, last| Ok(Command::Bdat { size, last });
        let table: &[(&str, &[u8], Result<Command, BadCommand>)] = &[
            ("plain", b"5", taken(5, false)),
            ("last", b"5 LAST", taken(5, true)),
            ("either case", b"0 last", taken(0, true)),
            ("largest", b"18446744073709551615", taken(u64::MAX, false)),
            (
                "too large",
                b"18446744073709551616",
                Err(BadCommand::BdatArgument),
            ),
            ("none", b"", Err(BadCommand::BdatArgument)),
            ("negative", b"-1", Err(BadCommand::BdatArgument)),
            ("plus", b"+1", Err(BadCommand::BdatArgument)),
            ("other word", b"5 FIRST", Err(BadCommand::BdatArgument)),
            ("glued", b"5LAST", Err(BadCommand::BdatArgument)),
        ];
        for (name, argument, wanted) in table {
            assert_eq!(parse(argument), *wanted, "{name}");
        }
    }
}
