//! What mailing lists and bounces share: VERP and the rule whether a message may be answered (RFC 3834).
