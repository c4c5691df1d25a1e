//! In which zone the dates are that this host writes into messages (the date-localtime patch).

use mta_core::Unix;
use mta_core::date::{Stamp, Zone};

/// What mtad.toml's `local_dates` and the variable LOCALDATES of qmail's programs say.
///
/// ```
/// use delivery::dates::Dates;
/// use mta_core::Unix;
/// assert_eq!(Dates::Utc.stamp(Unix(0)).to_string(), "1 Jan 1970 00:00:00 -0000");
/// assert!(!Dates::Local.stamp(Unix(0)).to_string().ends_with("-0000"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the setting is on or off")]
pub enum Dates {
    /// UTC, with `-0000`, as qmail.
    #[default]
    Utc,
    /// The zone of TZ, else of the host, with `±HHMM`.
    Local,
}

impl Dates {
    /// Adds the zone to a moment. A moment without local time is in UTC.
    #[must_use]
    pub fn stamp(self, moment: Unix) -> Stamp {
        let zone = match self {
            Self::Utc => Zone::Unknown,
            Self::Local => sys::local_offset(moment.0).map_or(Zone::Unknown, Zone::from_seconds),
        };
        Stamp { moment, zone }
    }
}
