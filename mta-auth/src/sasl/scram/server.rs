//! The server's side of SCRAM (RFC 5802 §3, §5, §6).

use super::super::{Fresh, MAX_NAME, exchange::Reason};
use super::message::{attribute, is_nonce, name, split};
use super::{ChannelBinding, ScramKeys, keys};
use base64ct::{Base64, Encoding as _};

/// The longest nonce that a client may bring along.
const MAX_NONCE: usize = 256;

/// What is kept from one message to the next.
#[derive(Debug)]
pub(in super::super) struct Server {
    bound: bool,
    nonce: String,
    bindings: Vec<ChannelBinding>,
    /// `gs2-header` and the channel's data: what the client has to send back.
    binding: Vec<u8>,
    client_first: String,
    server_first: String,
    keys: Option<ScramKeys>,
}

impl Server {
    pub(in super::super) fn new(bound: bool, fresh: Fresh, bindings: &[ChannelBinding]) -> Self {
        Self {
            bound,
            nonce: fresh.text(),
            bindings: bindings.to_vec(),
            binding: Vec::new(),
            client_first: String::new(),
            server_first: String::new(),
            keys: None,
        }
    }

    #[cfg(test)]
    pub(super) fn with_nonce(nonce: &str) -> Self {
        let mut server = Self::new(false, Fresh::from_random([0; 18]), &[]);
        nonce.clone_into(&mut server.nonce);
        server
    }

    /// Reads `gs2-header [reserved-mext ","] n=name,r=nonce[,extensions]` and returns the name.
    pub(in super::super) fn first(&mut self, message: &[u8]) -> Result<Vec<u8>, Reason> {
        let text = std::str::from_utf8(message).map_err(|_| Reason::Malformed)?;
        let (flag, rest) = split(text);
        let (acting_for, bare) = split(rest.ok_or(Reason::Malformed)?);
        let bare = bare.ok_or(Reason::Malformed)?;
        let data = self.channel(flag)?;
        let header = text.len().saturating_sub(bare.len());
        self.binding = message.get(..header).unwrap_or_default().to_vec();
        self.binding.extend_from_slice(&data);
        let (user, rest) = attribute(bare, 'n').ok_or(Reason::Malformed)?;
        let (nonce, _) = attribute(rest, 'r').ok_or(Reason::Malformed)?;
        if !is_nonce(nonce) || nonce.len() > MAX_NONCE {
            return Err(Reason::Malformed);
        }
        let user = name(user)
            .filter(|user| !user.is_empty() && user.len() <= MAX_NAME && !user.contains('\0'))
            .ok_or(Reason::Malformed)?;
        if !acting_for.is_empty() {
            let other = acting_for.strip_prefix("a=").and_then(name);
            let other = other.ok_or(Reason::Malformed)?;
            if !other.eq_ignore_ascii_case(&user) {
                return Err(Reason::Authorization);
            }
        }
        self.nonce.insert_str(0, nonce);
        self.client_first = bare.to_owned();
        Ok(user.into_bytes())
    }

    /// Reads `gs2-cbind-flag` and returns the data that the channel has to be bound to.
    fn channel(&self, flag: &str) -> Result<Vec<u8>, Reason> {
        match (flag, self.bound) {
            ("n", false) => Ok(Vec::new()),
            // The client thinks that we have no -PLUS: somebody took it out of our list.
            ("y", false) if self.bindings.is_empty() => Ok(Vec::new()),
            ("y" | "n", _) => Err(Reason::ChannelBinding),
            (flag, true) => {
                let wanted = flag.strip_prefix("p=").ok_or(Reason::Malformed)?;
                let mut bindings = self.bindings.iter();
                let found = bindings.find(|binding| binding.name() == wanted);
                Ok(found.ok_or(Reason::ChannelBinding)?.data().clone())
            }
            _ => Err(Reason::Malformed),
        }
    }

    /// Writes `r=nonce,s=salt,i=iterations`.
    pub(in super::super) fn challenge(&mut self, keys: ScramKeys) -> Vec<u8> {
        let salt = Base64::encode_string(&keys.salt);
        self.server_first = format!("r={},s={salt},i={}", self.nonce, keys.iterations);
        self.keys = Some(keys);
        self.server_first.clone().into_bytes()
    }

    /// Reads `c=binding,r=nonce[,extensions],p=proof` and returns `v=signature`.
    pub(in super::super) fn last(self, message: &[u8]) -> Result<Vec<u8>, Reason> {
        let text = std::str::from_utf8(message).map_err(|_| Reason::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Reason::Malformed)?;
        let (binding, rest) = attribute(without_proof, 'c').ok_or(Reason::Malformed)?;
        let (nonce, _) = attribute(rest, 'r').ok_or(Reason::Malformed)?;
        let decode = |text| Base64::decode_vec(text).map_err(|_| Reason::Malformed);
        let (binding, proof) = (decode(binding)?, decode(proof)?);
        let keys = self.keys.ok_or(Reason::Malformed)?;
        if nonce != self.nonce {
            return Err(Reason::Malformed);
        }
        if binding != self.binding {
            return Err(Reason::ChannelBinding);
        }
        let message = [
            self.client_first.as_bytes(),
            b",",
            self.server_first.as_bytes(),
            b",",
            without_proof.as_bytes(),
        ];
        if !keys.check(&message, &proof) {
            return Err(Reason::Credentials);
        }
        let signature = keys::hmac(&keys.server, &message);
        Ok(format!("v={}", Base64::encode_string(&signature)).into_bytes())
    }
}
