//! The messages of SFTP version 3, as bytes: draft-ietf-secsh-filexfer-02, and the extensions of OpenSSH's file PROTOCOL.
//!
//! Whatever a host sends is read here, and none of it is believed: each length is checked against what is there, and what
//! makes no sense is a [`TransportError::Protocol`].

use procession::transport::TransportError;

/// The longest packet that is read or written, without its length field: OpenSSH's limit (sftp-common.h).
pub(crate) const LONGEST: usize = 256 << 10;

/// The version that is spoken: what every server knows.
const VERSION: u32 = 3;

/// What the client asks. Paths and handles are bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    Open {
        path: String,
        how: How,
        mode: u32,
    },
    Close(Vec<u8>),
    Read {
        handle: Vec<u8>,
        offset: u64,
        length: u32,
    },
    Write {
        handle: Vec<u8>,
        offset: u64,
        bytes: Vec<u8>,
    },
    /// Of the thing itself.
    Lstat(String),
    /// Of what a link leads to.
    Stat(String),
    Chmod {
        path: String,
        mode: u32,
    },
    ChmodOpen {
        handle: Vec<u8>,
        mode: u32,
    },
    OpenDir(String),
    ReadDir(Vec<u8>),
    Remove(String),
    Mkdir(String),
    Rmdir(String),
    Symlink {
        target: String,
        link: String,
    },
    /// Replaces what is there: posix-rename@openssh.com.
    Rename {
        from: String,
        to: String,
    },
    /// fsync@openssh.com
    Sync(Vec<u8>),
    /// statvfs@openssh.com
    Room(String),
    /// limits@openssh.com
    Limits,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Read,
    /// To write; it may not be there.
    New,
    /// To write, from its beginning; what is there is cut away.
    Afresh,
    /// To write into what is there.
    Continue,
}

impl How {
    /// READ 1, WRITE 2, CREAT 8, TRUNC 0x10, EXCL 0x20.
    fn flags(self) -> u32 {
        match self {
            How::Read => 0x01,
            How::New => 0x2a,
            How::Afresh => 0x1a,
            How::Continue => 0x0a,
        }
    }
}

/// What the server answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Status(Status),
    Handle(Vec<u8>),
    Bytes(Vec<u8>),
    Names(Vec<(Vec<u8>, Attrs)>),
    Attrs(Attrs),
    Extended(Vec<u8>),
}

/// How an operation ended. Servers say `Failure` for everything that version 3 has no word for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Ok,
    End,
    NoSuchFile,
    Permission,
    Failure,
    Unsupported,
    /// Any other code.
    Other(u32),
}

/// What the server knows of a file; it may leave out anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Attrs {
    pub(crate) size: Option<u64>,
    /// Type and permissions, as in `st_mode`.
    pub(crate) mode: Option<u32>,
    /// In seconds since 1970; it wraps in 2106.
    pub(crate) modified: Option<u32>,
}

/// The room of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    /// Whether a byte or a file could be added by the user.
    pub(crate) full: bool,
    /// Whether it is mounted read-only.
    pub(crate) read_only: bool,
}

/// What stands at the beginning of the conversation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Hello {
    pub(crate) extensions: Vec<Vec<u8>>,
}

/// The first packet of a client.
pub(crate) fn hello() -> Vec<u8> {
    let mut packet = Packet::new(1);
    packet.number(VERSION);
    packet.done()
}

impl Request {
    /// As a packet, with its length in front.
    pub(crate) fn packet(&self, id: u32) -> Vec<u8> {
        let one = |kind: u8, text: &[u8]| Packet::about(kind, id, text);
        let permit = |kind: u8, text: &[u8], mode: u32| {
            let mut packet = one(kind, text);
            packet.mode(mode);
            packet
        };
        let extended = |name: &str, texts: &[&[u8]]| {
            let mut packet = one(200, name.as_bytes());
            texts.iter().for_each(|text| packet.text(text));
            packet
        };
        let packet = match self {
            Request::Open { path, how, mode } => {
                let mut packet = one(3, path.as_bytes());
                packet.number(how.flags());
                packet.mode(*mode);
                packet
            }
            Request::Close(handle) => one(4, handle),
            Request::Read { handle, offset, length } => {
                let mut packet = one(5, handle);
                packet.long(*offset);
                packet.number(*length);
                packet
            }
            Request::Write { handle, offset, bytes } => {
                let mut packet = write_head(id, handle, *offset, bytes.len());
                packet.extend(bytes);
                return packet;
            }
            Request::Lstat(path) => one(7, path.as_bytes()),
            Request::Chmod { path, mode } => permit(9, path.as_bytes(), *mode),
            Request::ChmodOpen { handle, mode } => permit(10, handle, *mode),
            Request::OpenDir(path) => one(11, path.as_bytes()),
            Request::ReadDir(handle) => one(12, handle),
            Request::Remove(path) => one(13, path.as_bytes()),
            Request::Mkdir(path) => {
                let mut packet = one(14, path.as_bytes());
                packet.number(0);
                packet
            }
            Request::Rmdir(path) => one(15, path.as_bytes()),
            Request::Stat(path) => one(17, path.as_bytes()),
            // The draft says link, then target; OpenSSH has them the other way round, and so has everybody else since
            // (its PROTOCOL, section 4.1).
            Request::Symlink { target, link } => {
                let mut packet = one(20, target.as_bytes());
                packet.text(link.as_bytes());
                packet
            }
            Request::Rename { from, to } => {
                extended("posix-rename@openssh.com", &[from.as_bytes(), to.as_bytes()])
            }
            Request::Sync(handle) => extended("fsync@openssh.com", &[handle]),
            Request::Room(path) => extended("statvfs@openssh.com", &[path.as_bytes()]),
            Request::Limits => extended("limits@openssh.com", &[]),
        };
        packet.done()
    }
}

/// The packet of [`Request::Write`] up to its contents, which follow.
pub(crate) fn write_head(id: u32, handle: &[u8], offset: u64, length: usize) -> Vec<u8> {
    let mut packet = Packet::new(6);
    packet.number(id);
    packet.text(handle);
    packet.long(offset);
    let length = u32::try_from(length).expect("what is sent is cut into pieces before");
    packet.number(length);
    let all = u32::try_from(packet.0.len() - 4).expect("a handle is short") + length;
    packet.0[..4].copy_from_slice(&all.to_be_bytes());
    packet.0
}

/// Reads the server's first packet, without its length.
pub(crate) fn read_hello(packet: &[u8]) -> Result<Hello, TransportError> {
    let mut fields = Fields(packet);
    let (kind, version) = (fields.byte()?, fields.number()?);
    if kind != 2 || version != VERSION {
        return Err(garbled(&format!("version {version} in a packet of type {kind}")));
    }
    let mut hello = Hello::default();
    while !fields.0.is_empty() {
        hello.extensions.push(fields.text()?.to_vec());
        fields.text()?;
    }
    Ok(hello)
}

/// Reads any other packet of the server, without its length: the number of the request, and the reply.
pub(crate) fn read_reply(packet: &[u8]) -> Result<(u32, Reply), TransportError> {
    let mut fields = Fields(packet);
    let (kind, id) = (fields.byte()?, fields.number()?);
    let reply = match kind {
        101 => Reply::Status(match fields.number()? {
            0 => Status::Ok,
            1 => Status::End,
            2 => Status::NoSuchFile,
            3 => Status::Permission,
            4 => Status::Failure,
            8 => Status::Unsupported,
            other => Status::Other(other),
        }),
        102 => match fields.text()? {
            // The draft: at most 256 bytes.
            handle if handle.len() <= 256 => Reply::Handle(handle.to_vec()),
            handle => return Err(garbled(&format!("a handle of {} bytes", handle.len()))),
        },
        103 => Reply::Bytes(fields.text()?.to_vec()),
        104 => {
            let count = fields.number()?;
            let mut names = Vec::new();
            for _ in 0..count {
                let name = fields.text()?.to_vec();
                fields.text()?;
                names.push((name, fields.attrs()?));
            }
            Reply::Names(names)
        }
        105 => Reply::Attrs(fields.attrs()?),
        201 => Reply::Extended(fields.0.to_vec()),
        other => return Err(garbled(&format!("a packet of type {other}"))),
    };
    Ok((id, reply))
}

/// Reads the reply to [`Request::Room`].
pub(crate) fn read_room(bytes: &[u8]) -> Result<Room, TransportError> {
    // f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, f_fsid, f_flag, f_namemax
    let [_, _, _, _, blocks, files, _, free_files, _, flags, _] = Fields(bytes).longs()?;
    // File systems without a table of files (btrfs) have 0 of them.
    Ok(Room { full: blocks == 0 || (files != 0 && free_files == 0), read_only: flags & 1 != 0 })
}

/// Reads the reply to [`Request::Limits`]: how many bytes may be written at once, at most. 0 if it does not say.
pub(crate) fn read_most_written(bytes: &[u8]) -> Result<u64, TransportError> {
    // max-packet-length, max-read-length, max-write-length, and max-open-handles after them
    Ok(Fields(bytes).longs::<3>()?[2])
}

fn garbled(what: &str) -> TransportError {
    TransportError::Protocol(format!("the SFTP server sent {what}"))
}

/// A packet that is being written.
struct Packet(Vec<u8>);

impl Packet {
    fn new(kind: u8) -> Packet {
        Packet(vec![0, 0, 0, 0, kind])
    }

    /// A request that begins with a path or a handle.
    fn about(kind: u8, id: u32, text: &[u8]) -> Packet {
        let mut packet = Packet::new(kind);
        packet.number(id);
        packet.text(text);
        packet
    }

    fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    fn long(&mut self, number: u64) {
        self.0.extend(number.to_be_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(u32::try_from(text.len()).expect("what is sent is cut into pieces before"));
        self.0.extend(text);
    }

    /// Attributes with nothing but permissions.
    fn mode(&mut self, mode: u32) {
        self.number(4);
        self.number(mode & 0o7777);
    }

    fn done(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).expect("what is sent is cut into pieces before");
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// What is left of a packet that is being read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], TransportError> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| garbled("a packet that is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TransportError> {
        Ok(self.take(N)?.try_into().expect("it has just been cut to this length"))
    }

    fn byte(&mut self) -> Result<u8, TransportError> {
        Ok(self.array::<1>()?[0])
    }

    fn number(&mut self) -> Result<u32, TransportError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn long(&mut self) -> Result<u64, TransportError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn longs<const N: usize>(&mut self) -> Result<[u64; N], TransportError> {
        let mut numbers = [0; N];
        numbers.iter_mut().try_for_each(|number| self.long().map(|long| *number = long))?;
        Ok(numbers)
    }

    fn text(&mut self) -> Result<&'a [u8], TransportError> {
        let length = self.number()?;
        self.take(length as usize)
    }

    fn attrs(&mut self) -> Result<Attrs, TransportError> {
        let flags = self.number()?;
        let mut attrs = Attrs::default();
        if flags & 1 != 0 {
            attrs.size = Some(self.long()?);
        }
        if flags & 2 != 0 {
            // User and group.
            self.long()?;
        }
        if flags & 4 != 0 {
            attrs.mode = Some(self.number()?);
        }
        if flags & 8 != 0 {
            self.number()?;
            attrs.modified = Some(self.number()?);
        }
        if flags & 0x8000_0000 != 0 {
            // Each pair takes at least eight bytes, so a count that is a lie ends with the packet.
            for _ in 0..self.number()? {
                self.text()?;
                self.text()?;
            }
        }
        Ok(attrs)
    }
}
