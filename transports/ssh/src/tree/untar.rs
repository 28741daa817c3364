//! Reads a tar stream as it comes: headers in, facts out. It writes nothing and believes nothing.
//!
//! It knows the formats that hosts have: ustar, GNU and pax, with their long names. What else there may be in a stream is an
//! error and never a file.

use super::pack::BLOCK;
use procession::transport::{RemotePath, TransportError};
use tar::{EntryType, Header, PaxExtensions};

/// The most that an entry with a long name or attributes may have, in bytes.
const LONGEST_NOTE: u64 = 64 << 10;

/// What comes of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Event<'a> {
    /// A file of `size` bytes begins.
    File { path: RemotePath, size: u64 },
    /// Some of its bytes; after the last of them it has ended. A file of 0 bytes has no such event.
    Bytes(&'a [u8]),
    /// A symbolic link.
    Link { path: RemotePath, target: String },
    /// Another name of a file that came before.
    Same { path: RemotePath, as_path: RemotePath },
}

/// A stream that is being read.
#[derive(Default)]
pub(super) struct Untar {
    /// The part of a block that has come.
    block: Vec<u8>,
    state: State,
    /// What the next header is overruled by.
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
}

#[derive(Default)]
enum State {
    #[default]
    Header,
    /// The contents of a file, with its padding.
    File { left: u64, pad: usize },
    /// Something that overrules the next header.
    Note { kind: EntryType, size: usize, bytes: Vec<u8> },
}

impl Untar {
    /// Reads the next bytes of the stream.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut event: impl FnMut(Event<'_>) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header => {
                    let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
                    bytes = later;
                    self.block.extend_from_slice(now);
                    if self.block.len() == BLOCK {
                        let block = std::mem::take(&mut self.block);
                        self.header(&block, &mut event)?;
                    }
                }
                State::File { left, pad } => {
                    let now = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    if now > 0 {
                        event(Event::Bytes(&bytes[..now]))?;
                        *left -= now as u64;
                        bytes = &bytes[now..];
                    }
                    if *left == 0 {
                        let skip = bytes.len().min(*pad);
                        *pad -= skip;
                        bytes = &bytes[skip..];
                        if *pad == 0 {
                            self.state = State::Header;
                        }
                    }
                }
                State::Note { kind, size, bytes: note } => {
                    let whole = size.next_multiple_of(BLOCK);
                    let (now, later) = bytes.split_at(bytes.len().min(whole - note.len()));
                    bytes = later;
                    note.extend_from_slice(now);
                    if note.len() == whole {
                        note.truncate(*size);
                        let (kind, note) = (*kind, std::mem::take(note));
                        self.state = State::Header;
                        self.note(kind, &note)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the stream may end here.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, State::Header) && self.block.is_empty() && self.path.is_none()
    }

    fn header(
        &mut self,
        block: &[u8],
        event: &mut impl FnMut(Event<'_>) -> Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        // The end of an archive; another one may follow.
        if block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = Header::from_byte_slice(block);
        let stated = header.cksum().map_err(|_| garbled("a checksum that is none"))?;
        let sum = |at: usize, byte: &u8| if (148..156).contains(&at) { 32 } else { u32::from(*byte) };
        if stated != block.iter().enumerate().map(|(at, byte)| sum(at, byte)).sum::<u32>() {
            return Err(garbled("a header with a wrong checksum"));
        }
        let size = header.entry_size().map_err(|_| garbled("a size that is none"))?;
        let kind = header.entry_type();
        match kind {
            EntryType::GNULongName
            | EntryType::GNULongLink
            | EntryType::XHeader
            | EntryType::XGlobalHeader => {
                if size > LONGEST_NOTE {
                    return Err(garbled("a name that is too long"));
                }
                let size = usize::try_from(size).expect("it is short");
                self.state = State::Note { kind, size, bytes: Vec::new() };
                if size == 0 {
                    self.state = State::Header;
                }
                return Ok(());
            }
            _ => {}
        }
        let path = name(&self.path.take().unwrap_or_else(|| header.path_bytes().into_owned()))?;
        let target = self.target.take().or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        let size = self.size.take().unwrap_or(size);
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                event(Event::File { path, size })?;
                let over = usize::try_from(size % BLOCK as u64).expect("it is less than a block");
                let pad = if over == 0 { 0 } else { BLOCK - over };
                self.state = if size == 0 { State::Header } else { State::File { left: size, pad } };
                Ok(())
            }
            EntryType::Symlink => {
                let target = String::from_utf8(target.unwrap_or_default())
                    .map_err(|_| garbled("a link to what is not UTF-8"))?;
                event(Event::Link { path, target })
            }
            EntryType::Link => event(Event::Same { path, as_path: name(&target.unwrap_or_default())? }),
            other => Err(garbled(&format!("{path}, of type {:?}", char::from(other.as_byte())))),
        }
    }

    fn note(&mut self, kind: EntryType, note: &[u8]) -> Result<(), TransportError> {
        let text = || note.split(|byte| *byte == 0).next().unwrap_or(note).to_vec();
        match kind {
            EntryType::GNULongName => self.path = Some(text()),
            EntryType::GNULongLink => self.target = Some(text()),
            EntryType::XHeader => {
                for extension in PaxExtensions::new(note) {
                    let extension = extension.map_err(|_| garbled("attributes that are none"))?;
                    match extension.key_bytes() {
                        b"path" => self.path = Some(extension.value_bytes().to_vec()),
                        b"linkpath" => self.target = Some(extension.value_bytes().to_vec()),
                        b"size" => {
                            let size = extension.value().ok().and_then(|size| size.parse().ok());
                            self.size = Some(size.ok_or_else(|| garbled("a size that is none"))?);
                        }
                        // Times, owners, and what sparse files are made of: those have other names, so they are refused
                        // as files that nobody asked for.
                        _ => {}
                    }
                }
            }
            // Global attributes: comments, mostly.
            _ => {}
        }
        Ok(())
    }
}

/// A name below the folder.
fn name(bytes: &[u8]) -> Result<RemotePath, TransportError> {
    let text = std::str::from_utf8(bytes).map_err(|_| garbled("a name that is not UTF-8"))?;
    let path: RemotePath = text.parse().map_err(|_| garbled("a name that is none"))?;
    if path.is_absolute() || path.parts().any(|part| part == "..") {
        return Err(garbled(&format!("{path}, which leads out of the folder")));
    }
    Ok(path)
}

fn garbled(what: &str) -> TransportError {
    TransportError::Protocol(format!("the tar of the host sent {what}"))
}
