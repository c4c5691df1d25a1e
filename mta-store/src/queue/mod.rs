//! The message queue in qmail's directory layout (INTERNALS, qmail-queue(8), envelopes(5)).
