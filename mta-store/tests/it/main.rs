//! Everything that mta-store promises, asked from outside (INTERNALS, maildir(5)).

#[cfg(test)]
mod files;
