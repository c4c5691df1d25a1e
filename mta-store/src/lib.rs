//! A crash-safe queue and Maildir in qmail's layout, behind one port for file calls (INTERNALS, maildir(5)).
