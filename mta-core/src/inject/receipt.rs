//! Whether a message's header asks for a delivery notice, and the notice (qreceipt(1), spec §6.8).

use super::layout::unquoted;
use super::reader::{Found, HeaderReader};
use super::{InjectError, Limits, list, token};
use crate::Address;

const ASKS: &[u8] = b"notice-requested-upon-delivery-to";

/// Reads a message's header for requests to tell that it has reached one address.
///
/// ```
/// use mta_core::Address;
/// use mta_core::inject::ReceiptRequest;
/// let mut request = ReceiptRequest::new(b"ann@here");
/// let header = b"Notice-Requested-Upon-Delivery-To: ann@here\nMessage-ID: <1@there>\n\n";
/// assert!(request.feed(header).unwrap());
/// let notice = request.notice(&Address::new("joe@there").unwrap()).unwrap().unwrap();
/// assert!(notice.ends_with(b"Thanks for asking.\nYour Message-ID: <1@there>\n"));
/// ```
#[derive(Debug)]
pub struct ReceiptRequest {
    address: Vec<u8>,
    reader: HeaderReader,
    wanted: bool,
    message_id: Vec<u8>,
    ended: bool,
}

impl ReceiptRequest {
    /// Looks for requests that name exactly this address, as qreceipt's argument gives it.
    #[must_use]
    pub fn new(address: &[u8]) -> Self {
        Self {
            address: address.to_vec(),
            reader: HeaderReader::new(Limits::default()),
            wanted: false,
            message_id: Vec::new(),
            ended: false,
        }
    }

    /// Takes input and tells whether the header has ended. How it is cut makes no difference.
    ///
    /// # Errors
    /// Fails where a request cannot be read, or a limit is passed.
    pub fn feed(&mut self, input: &[u8]) -> Result<bool, InjectError> {
        let mut rest = input;
        while !self.ended {
            match self.reader.next(&mut rest)? {
                Found::More => break,
                Found::Field(line) => self.field(&line)?,
                Found::Body(_) => self.ended = true,
            }
        }
        Ok(self.ended)
    }

    /// Ends the header and writes the notice, which goes to `sender` and from the null sender; `None`
    /// where none is due. Nobody is told who has no address to be told at.
    ///
    /// # Errors
    /// Fails where a request cannot be read.
    pub fn notice(mut self, sender: &Address) -> Result<Option<Vec<u8>>, InjectError> {
        while !self.ended {
            match self.reader.finish() {
                Found::Field(line) => self.field(&line)?,
                Found::Body(_) => self.ended = true,
                Found::More => {}
            }
        }
        if !self.wanted || sender.is_null() || sender.as_bytes() == b"#@[]" {
            return Ok(None);
        }
        let mut to = sender.to_quoted();
        for byte in to.iter_mut().chain(&mut self.address) {
            // Unlike qmail: no address ends the line that it stands in.
            if byte.is_ascii_control() {
                *byte = b'_';
            }
        }
        let mut text = [
            b"From: DELIVERY NOTICE SYSTEM <",
            to.as_slice(),
            b">\nTo: <",
            &to,
            b">\nSubject: success notice\n\n\
            Hi! This is the qreceipt program. Your message was delivered to the\n\
            following address: ",
            &self.address,
            b". Thanks for asking.\n",
        ]
        .concat();
        if !self.message_id.is_empty() {
            text.extend_from_slice(b"Your ");
            text.extend_from_slice(&self.message_id);
        }
        Ok(Some(text))
    }

    fn field(&mut self, line: &[u8]) -> Result<(), InjectError> {
        let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
        let (name, body) = line.split_at(colon);
        let name = name.trim_ascii_end();
        if name.eq_ignore_ascii_case(b"message-id") {
            self.message_id = line.to_vec();
        }
        if !name.eq_ignore_ascii_case(ASKS) {
            return Ok(());
        }
        let body = body.get(1..).unwrap_or_default();
        let parsed = token::tokens(body).and_then(|tokens| {
            list::rewrite(tokens, &mut |address| {
                self.wanted |= unquoted(address) == self.address;
                Ok(())
            })
        });
        parsed
            .map(drop)
            .map_err(|token::Unparsable| InjectError::UnparsableLine(line.to_vec()))
    }
}
