//! What an agent says, read by ourselves: libssh2 would wait for it without end. The protocol:
//! draft-ietf-sshm-ssh-agent, sections 3 and 5.

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// SSH_AGENTC_REQUEST_IDENTITIES.
pub(super) const REQUEST_IDENTITIES: u8 = 11;
/// SSH_AGENT_IDENTITIES_ANSWER.
const IDENTITIES_ANSWER: u8 = 12;
/// SSH_AGENTC_SIGN_REQUEST.
pub(super) const SIGN_REQUEST: u8 = 13;
/// SSH_AGENT_FAILURE, as a whole message.
pub(super) const FAILURE: [u8; 1] = [5];

/// The longest message, in bytes: that of OpenSSH's agent (`AGENT_MAX_LEN`).
const LONGEST: usize = 256 << 10;

/// A key that an agent holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AgentKey {
    /// The public key or the certificate, as on the wire.
    pub(super) blob: Vec<u8>,
    /// What its owner calls it.
    pub(super) comment: String,
}

/// Connects. An agent that is stopped takes connections until its queue is full; then this fails instead of waiting.
pub(super) fn reach(path: &Path) -> Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// All keys of an agent.
pub(super) fn identities(stream: &mut UnixStream) -> Result<Vec<AgentKey>> {
    send(stream, &[REQUEST_IDENTITIES])?;
    let answer = receive(stream)?;
    listed(&answer)
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "the answer of the agent makes no sense"))
}

/// The keys in an answer of an agent; none if it is no such answer.
pub(super) fn listed(answer: &[u8]) -> Option<Vec<AgentKey>> {
    let (kind, mut rest) = answer.split_first()?;
    if *kind != IDENTITIES_ANSWER {
        return None;
    }
    let count = number(&mut rest)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let blob = string(&mut rest)?.to_vec();
        let comment = String::from_utf8_lossy(string(&mut rest)?).into_owned();
        keys.push(AgentKey { blob, comment });
    }
    rest.is_empty().then_some(keys)
}

/// An answer that lists one key.
pub(super) fn listing(key: &AgentKey) -> Vec<u8> {
    let mut answer = vec![IDENTITIES_ANSWER, 0, 0, 0, 1];
    push(&mut answer, &key.blob);
    push(&mut answer, key.comment.as_bytes());
    answer
}

/// A request to sign, with another key in the place of its own: that of a certificate, whose bare key the agent has.
pub(super) fn signed_with(request: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let (kind, mut rest) = request.split_first()?;
    if *kind != SIGN_REQUEST {
        return None;
    }
    string(&mut rest)?;
    let mut changed = vec![SIGN_REQUEST];
    push(&mut changed, key);
    changed.extend_from_slice(rest);
    Some(changed)
}

pub(super) fn send(stream: &mut impl Write, message: &[u8]) -> Result<()> {
    let mut framed = Vec::with_capacity(message.len() + 4);
    push(&mut framed, message);
    stream.write_all(&framed)
}

pub(super) fn receive(stream: &mut impl Read) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(Error::new(ErrorKind::InvalidData, "the message is longer than any of an agent"));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn push(message: &mut Vec<u8>, text: &[u8]) {
    let length = u32::try_from(text.len()).expect("messages are far below 4 GiB");
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(text);
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)? as usize;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_as_it_is_written() {
        let key = AgentKey { blob: vec![1, 2, 3], comment: "ann@desk".into() };
        let answer = listing(&key);
        assert_eq!(listed(&answer), Some(vec![key]));
        for cut in 0..answer.len() {
            assert_eq!(listed(&answer[..cut]), None, "cut off at {cut}");
        }
        assert_eq!(listed(&[12, 255, 255, 255, 255]), None, "a count is not believed");
        assert_eq!(listed(&FAILURE), None);
    }

    #[test]
    fn only_the_key_of_a_request_is_changed() {
        let request = [&[13, 0, 0, 0, 1, 7][..], &[0, 0, 0, 2, 8, 9, 0, 0, 0, 4]].concat();
        let changed = signed_with(&request, &[5, 6]).unwrap();
        assert_eq!(changed, [&[13, 0, 0, 0, 2, 5, 6][..], &[0, 0, 0, 2, 8, 9, 0, 0, 0, 4]].concat());
        assert_eq!(signed_with(&[11], &[5]), None);
    }
}
