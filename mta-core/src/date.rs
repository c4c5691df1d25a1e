//! Dates as mail writes them: qmail's `-0000` form, RFC 5322 §3.3 and the mbox From_ line (datetime(3), mbox(5)).

use crate::Unix;
use std::fmt;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const DAY: u64 = 86_400;
const DAYS_IN_400_YEARS: u64 = 146_097;

/// A moment taken apart in the Gregorian calendar, in UTC.
///
/// ```
/// use mta_core::{Unix, date::Civil};
/// let c = Civil::from_unix(Unix(951_782_400));
/// assert_eq!((c.year, c.month, c.day), (2000, 2, 29));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year, 1970 or later.
    pub year: u64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 is Sunday.
    pub weekday: u8,
}

impl Civil {
    /// Takes a moment apart.
    #[must_use]
    pub fn from_unix(moment: Unix) -> Self {
        let (days, rest) = (moment.0 / DAY, moment.0 % DAY);
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            hour: low(rest / 3600),
            minute: low(rest / 60 % 60),
            second: low(rest % 60),
            // 1970-01-01 was a Thursday.
            weekday: low((days % 7 + 4) % 7),
        }
    }

    fn month_name(&self) -> &'static str {
        let at = usize::from(self.month).saturating_sub(1);
        MONTHS.get(at).copied().unwrap_or("Jan")
    }

    fn weekday_name(&self) -> &'static str {
        WEEKDAYS
            .get(usize::from(self.weekday))
            .copied()
            .unwrap_or("Sun")
    }

    fn clock(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

/// Writes qmail's form, without weekday and always in UTC: `3 Jan 2026 04:05:06 -0000`.
///
/// `-0000` says that nothing is known about the local zone (RFC 5322 §3.3).
///
/// ```
/// assert_eq!(mta_core::date::qmail(mta_core::Unix(0)), "1 Jan 1970 00:00:00 -0000");
/// ```
#[must_use]
pub fn qmail(moment: Unix) -> String {
    let c = Civil::from_unix(moment);
    format!(
        "{} {} {} {} -0000",
        c.day,
        c.month_name(),
        c.year,
        c.clock()
    )
}

/// Writes the RFC 5322 §3.3 form in UTC: `Sat, 3 Jan 2026 04:05:06 +0000`.
///
/// ```
/// assert_eq!(mta_core::date::rfc5322(mta_core::Unix(0)), "Thu, 1 Jan 1970 00:00:00 +0000");
/// ```
#[must_use]
pub fn rfc5322(moment: Unix) -> String {
    rfc5322_in_zone(moment, 0)
}

/// Writes the RFC 5322 §3.3 form in a zone that is `east` minutes ahead of UTC.
///
/// The offset is cut to ±23:59.
///
/// ```
/// use mta_core::{Unix, date::rfc5322_in_zone};
/// assert_eq!(rfc5322_in_zone(Unix(86_400), -90), "Thu, 1 Jan 1970 22:30:00 -0130");
/// ```
#[must_use]
pub fn rfc5322_in_zone(moment: Unix, east: i16) -> String {
    let east = east.clamp(-1439, 1439);
    let minutes = u64::from(east.unsigned_abs());
    let (sign, there) = if east < 0 {
        ('-', moment.0.saturating_sub(minutes * 60))
    } else {
        ('+', moment.0.saturating_add(minutes * 60))
    };
    let c = Civil::from_unix(Unix(there));
    format!(
        "{}, {} {} {} {} {sign}{:02}{:02}",
        c.weekday_name(),
        c.day,
        c.month_name(),
        c.year,
        c.clock(),
        minutes / 60,
        minutes % 60,
    )
}

/// Writes qmail's form in a zone that is `east` minutes ahead of UTC, as predate does:
/// `3 Jan 2026 05:05:06 +0100`.
///
/// The offset is cut to ±23:59.
///
/// ```
/// use mta_core::{Unix, date::qmail_in_zone};
/// assert_eq!(qmail_in_zone(Unix(86_400), -90), "1 Jan 1970 22:30:00 -0130");
/// ```
#[must_use]
pub fn qmail_in_zone(moment: Unix, east: i16) -> String {
    let whole = rfc5322_in_zone(moment, east);
    match whole.split_once(", ") {
        Some((_, date)) => date.to_owned(),
        None => whole,
    }
}

/// In which zone a date is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Zone {
    /// UTC; `-0000` says that nothing is known about the local zone.
    #[default]
    Unknown,
    /// So many minutes ahead of UTC.
    East(i16),
}

impl Zone {
    /// The zone that is so many seconds ahead of UTC, to the nearest minute.
    ///
    /// ```
    /// use mta_core::date::Zone;
    /// assert_eq!(Zone::from_seconds(3629), Zone::East(60));
    /// assert_eq!(Zone::from_seconds(-3630), Zone::East(-61));
    /// ```
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        let minutes = (seconds.unsigned_abs().saturating_add(30)) / 60;
        let minutes = i16::try_from(minutes).unwrap_or(i16::MAX);
        Self::East(if seconds < 0 { -minutes } else { minutes })
    }
}

/// A moment and the zone in which it is written, in qmail's form.
///
/// ```
/// use mta_core::{Unix, date::{Stamp, Zone}};
/// let stamp = Stamp { moment: Unix(0), zone: Zone::East(60) };
/// assert_eq!(stamp.to_string(), "1 Jan 1970 01:00:00 +0100");
/// assert_eq!(Stamp::from(Unix(0)).to_string(), "1 Jan 1970 00:00:00 -0000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "these two make a date")]
pub struct Stamp {
    /// The moment.
    pub moment: Unix,
    /// The zone.
    pub zone: Zone,
}

impl From<Unix> for Stamp {
    fn from(moment: Unix) -> Self {
        let zone = Zone::Unknown;
        Self { moment, zone }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self.zone {
            Zone::Unknown => qmail(self.moment),
            Zone::East(east) => qmail_in_zone(self.moment, east),
        })
    }
}

/// Writes the date of a From_ line in UTC: `Sat Jan 03 04:05:06 2026` (mbox(5)).
///
/// ```
/// assert_eq!(mta_core::date::mbox(mta_core::Unix(0)), "Thu Jan 01 00:00:00 1970");
/// ```
#[must_use]
pub fn mbox(moment: Unix) -> String {
    let c = Civil::from_unix(moment);
    format!(
        "{} {} {:02} {} {}",
        c.weekday_name(),
        c.month_name(),
        c.day,
        c.clock(),
        c.year
    )
}

/// Turns days since 1970-01-01 into year, month and day.
///
/// Years are counted from 1 March 0000, so that the leap day is the last day of a year.
fn date_of(days: u64) -> (u64, u8, u8) {
    const MARCH_0000_TO_1970: u64 = 719_468;
    let days = days + MARCH_0000_TO_1970;
    let (era, in_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let century = (in_era / 36_524).min(3);
    let in_century = in_era - century * 36_524;
    let four = in_century / 1461;
    let in_four = in_century - four * 1461;
    let single = (in_four / 365).min(3);
    let in_year = in_four - single * 365;
    let year = era * 400 + century * 100 + four * 4 + single;
    // Five months from March on have 153 days: 31, 30, 31, 30, 31.
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    if from_march < 10 {
        (year, low(from_march + 3), low(day))
    } else {
        (year + 1, low(from_march - 9), low(day))
    }
}

/// Narrows a number that the arithmetic above keeps below 60.
fn low(n: u64) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_other_programs_write_them() {
        let rows = [
            ("epoch", 0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (
                "leap day 2000",
                951_827_696,
                "Tue, 29 Feb 2000 12:34:56 +0000",
            ),
            (
                "end of 1999",
                946_684_799,
                "Fri, 31 Dec 1999 23:59:59 +0000",
            ),
            (
                "no leap day 2100",
                4_107_542_400,
                "Mon, 1 Mar 2100 00:00:00 +0000",
            ),
            (
                "beyond 2038",
                2_147_483_648,
                "Tue, 19 Jan 2038 03:14:08 +0000",
            ),
        ];
        for (name, moment, want) in rows {
            assert_eq!(rfc5322(Unix(moment)), want, "{name}");
        }
    }

    #[test]
    fn the_last_moment_does_not_overflow() {
        assert!(qmail(Unix(u64::MAX)).ends_with("-0000"));
        assert!(rfc5322_in_zone(Unix(u64::MAX), i16::MAX).ends_with("+2359"));
        assert!(rfc5322_in_zone(Unix(0), i16::MIN).ends_with("-2359"));
    }

    #[test]
    fn every_day_of_eight_hundred_years_follows_the_one_before() {
        let mut before = date_of(0);
        for days in 1..DAYS_IN_400_YEARS * 2 {
            let (y, m, d) = date_of(days);
            let next_day = (y, m) == (before.0, before.1) && d == before.2 + 1;
            let next_month = d == 1 && before.2 >= 28 && (m == before.1 + 1 || m == 1);
            assert!(
                next_day || next_month,
                "day {days}: {before:?} then {y} {m} {d}"
            );
            before = (y, m, d);
        }
        assert_eq!(date_of(DAYS_IN_400_YEARS).0, 2370);
    }
}
