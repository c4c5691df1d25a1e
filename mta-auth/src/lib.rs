//! Accounts and passwords in vpopmail's layout (vchkpw(8), vadddomain(8)).
