//! What a delivery's programs said, as it stands in the report (qmail-lspawn(8), spec §6.1).

/// Longer reports are cut.
pub const REPORT_MAX: usize = 3000;
const KEPT: usize = 2966;
const TOO_LONG: &[u8] = b"\nError report too long, sorry.\n";

/// Cuts a report as qmail-lspawn does: at the first NUL, and to 2966 bytes with a remark where more
/// than 3000 are left.
///
/// ```
/// use mta_core::dotqmail::cut_report;
/// assert_eq!(cut_report(b"done\0never seen".to_vec()), b"done");
/// assert!(cut_report(vec![b'x'; 3001]).ends_with(b"x\nError report too long, sorry.\n"));
/// ```
#[must_use]
pub fn cut_report(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|&b| b == 0) {
        text.truncate(end);
    }
    if text.len() > REPORT_MAX {
        text.truncate(KEPT);
        text.extend_from_slice(TOO_LONG);
    }
    text
}
