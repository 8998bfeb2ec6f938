//! Signs with an Ed25519 key that an ssh-agent holds: the key never reaches this program, and `ssh-add -c` makes the
//! agent ask each time.
//!
//! Source: draft-ietf-sshm-ssh-agent §4 (framing, requests 11 and 13, answers 12 and 14), RFC 8709 §4 and §6 (the key
//! and signature blobs). A plain `ssh-ed25519` key signs the very bytes, so what comes back is an ordinary Ed25519
//! signature; `sk-` keys of security tokens sign something else and are passed over.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::domain::text::show;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const KIND: &[u8] = b"ssh-ed25519";
/// Longest message that is read (OpenSSH's own bound, `AGENT_MAX_LEN`).
const MAX_MESSAGE: usize = 256 * 1024;
/// How long the agent may take: a person may have to confirm.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why an agent did not sign.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No agent is named.
    #[error(
        "no ssh-agent: SSH_AUTH_SOCK is not set; start one, add a key with `ssh-add`, or leave out --agent"
    )]
    None,
    /// The socket does not work.
    #[error("cannot talk to the ssh-agent: {0}")]
    Io(#[from] io::Error),
    /// It answers something else.
    #[error("the ssh-agent gives an answer that cannot be read")]
    Answer,
    /// It refused to sign.
    #[error("the ssh-agent did not sign: it refused, is locked, or the person at it said no")]
    Refused,
    /// No key fits.
    #[error("the ssh-agent holds {found} that can be used here{}: name one with --agent-key; `ssh-add -l` lists them", if wanted.is_empty() { String::new() } else { format!(" and is called {wanted:?}") })]
    Key {
        /// What was asked for.
        wanted: String,
        /// How many there are, in words.
        found: String,
    },
    /// What it signed does not verify.
    #[error("the ssh-agent's signature is not by the key that it named")]
    Signature,
}

/// A key that the agent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentKey {
    /// The public key.
    pub key: VerifyingKey,
    /// What its owner called it; text from outside.
    pub comment: String,
}

impl AgentKey {
    /// The fingerprint as `ssh-add -l` prints it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.key)
    }
}

/// `SHA256:` and the hash of the public key blob.
pub fn fingerprint(key: &VerifyingKey) -> String {
    format!(
        "SHA256:{}",
        STANDARD_NO_PAD.encode(Sha256::digest(blob(key)))
    )
}

/// Writes the public key as a line of `authorized_keys`, without a comment.
pub fn public_line(key: &VerifyingKey) -> String {
    format!("ssh-ed25519 {}", STANDARD.encode(blob(key)))
}

/// Reads a public key from a line of `authorized_keys` or a `.pub` file, without options before it.
pub fn read_public(line: &str) -> Option<VerifyingKey> {
    let mut words = line.split_ascii_whitespace();
    let (kind, encoded) = (words.next()?, words.next()?);
    (kind.as_bytes() == KIND).then_some(())?;
    read_blob(&STANDARD.decode(encoded).ok()?).filter(|key| !key.is_weak())
}

fn blob(key: &VerifyingKey) -> Vec<u8> {
    let mut out = Vec::with_capacity(51);
    put(&mut out, KIND);
    put(&mut out, key.as_bytes());
    out
}

fn read_blob(blob: &[u8]) -> Option<VerifyingKey> {
    let mut rest = blob;
    let kind = take(&mut rest)?;
    let key = take(&mut rest)?.try_into().ok()?;
    (kind == KIND && rest.is_empty())
        .then(|| VerifyingKey::from_bytes(key).ok())
        .flatten()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = number(rest)? as usize;
    let (bytes, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(bytes)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*bytes))
}

/// A connection to an agent.
#[derive(Debug)]
pub struct Agent {
    stream: UnixStream,
}

impl Agent {
    /// Connects to the agent of this session (`SSH_AUTH_SOCK`).
    pub fn of_session() -> Result<Self, AgentError> {
        let path = std::env::var_os("SSH_AUTH_SOCK").filter(|p| !p.is_empty());
        Self::at(Path::new(&path.ok_or(AgentError::None)?))
    }

    /// Connects to the agent at a socket.
    pub fn at(socket: &Path) -> Result<Self, AgentError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// Lists the keys that can be used here.
    pub fn keys(&mut self) -> Result<Vec<AgentKey>, AgentError> {
        let answer = self.ask(&[REQUEST_IDENTITIES])?;
        let (IDENTITIES, mut rest) = split(&answer)? else {
            return Err(AgentError::Answer);
        };
        let count = number(&mut rest).ok_or(AgentError::Answer)?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let (blob, comment) = take(&mut rest)
                .zip(take(&mut rest))
                .ok_or(AgentError::Answer)?;
            if let Some(key) = read_blob(blob).filter(|key| !key.is_weak()) {
                let comment = String::from_utf8_lossy(comment).into_owned();
                keys.push(AgentKey { key, comment });
            }
        }
        Ok(keys)
    }

    /// Finds the one key with this comment or fingerprint; an empty text means the only one there is.
    pub fn key(&mut self, wanted: &str) -> Result<AgentKey, AgentError> {
        let mut keys = self.keys()?;
        keys.retain(|k| wanted.is_empty() || k.comment == wanted || k.fingerprint() == wanted);
        match keys.pop() {
            Some(key) if keys.is_empty() => Ok(key),
            other => Err(AgentError::Key {
                wanted: show(wanted).into_owned(),
                found: match other {
                    None => "no Ed25519 key".to_owned(),
                    Some(_) => format!("{} Ed25519 keys", keys.len() + 1),
                },
            }),
        }
    }

    /// Has `data` signed, and checks what comes back.
    pub fn sign(&mut self, key: &VerifyingKey, data: &[u8]) -> Result<Signature, AgentError> {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, &blob(key));
        put(&mut request, data);
        request.extend_from_slice(&0_u32.to_be_bytes());
        let answer = self.ask(&request)?;
        let (SIGN_RESPONSE, mut rest) = split(&answer)? else {
            return Err(AgentError::Refused);
        };
        let signature = take(&mut rest).and_then(|mut inner| {
            let kind = take(&mut inner)?;
            let bytes: &[u8; 64] = take(&mut inner)?.try_into().ok()?;
            (kind == KIND).then(|| Signature::from_bytes(bytes))
        });
        let signature = signature.ok_or(AgentError::Answer)?;
        key.verify_strict(data, &signature)
            .map_err(|_| AgentError::Signature)?;
        Ok(signature)
    }

    fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, AgentError> {
        let mut framed = Vec::with_capacity(request.len() + 4);
        put(&mut framed, request);
        self.stream.write_all(&framed)?;
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let len = u32::from_be_bytes(len) as usize;
        if len == 0 || len > MAX_MESSAGE {
            return Err(AgentError::Answer);
        }
        let mut answer = vec![0; len];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

fn split(answer: &[u8]) -> Result<(u8, &[u8]), AgentError> {
    let (kind, rest) = answer.split_first().ok_or(AgentError::Answer)?;
    Ok((*kind, rest))
}
