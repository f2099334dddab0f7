//! The traits of types that have a descriptor, written once.

/// `AsFd` and `AsRawFd` of a type with a `Source`, or an `Acceptor`, in this field.
macro_rules! has_fd {
    ($type:ty, $field:ident) => {
        impl std::os::fd::AsFd for $type {
            #[inline]
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                std::os::fd::AsFd::as_fd(self.$field.get_ref())
            }
        }

        impl std::os::fd::AsRawFd for $type {
            #[inline]
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(self))
            }
        }
    };
}

/// `ReadFd` of a type whose field `io` is the `Source` of a pipe's end.
macro_rules! reads_file {
    ($type:ident) => {
        impl runtime_core::io::ReadFd for $type {
            type Io = std::fs::File;

            #[inline]
            fn source(&self) -> &runtime_core::io::Source<std::fs::File> {
                &self.io
            }

            #[inline]
            fn read_once(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                std::io::Read::read(&mut self.io.get_ref(), buf)
            }

            #[inline]
            fn read_once_vectored(
                &self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                std::io::Read::read_vectored(&mut self.io.get_ref(), bufs)
            }
        }
    };
}

/// `WriteFd` of such a type.
macro_rules! writes_file {
    ($type:ident) => {
        impl runtime_core::io::WriteFd for $type {
            type Io = std::fs::File;

            #[inline]
            fn source(&self) -> &runtime_core::io::Source<std::fs::File> {
                &self.io
            }

            #[inline]
            fn write_once(&self, buf: &[u8]) -> std::io::Result<usize> {
                std::io::Write::write(&mut self.io.get_ref(), buf)
            }

            #[inline]
            fn write_once_vectored(&self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                std::io::Write::write_vectored(&mut self.io.get_ref(), bufs)
            }
        }
    };
}

/// The traits of a socket for which the standard library has a type.
macro_rules! std_socket {
    ($type:ident, $field:ident: $std:ty) => {
        $crate::fd_traits::has_fd!($type, $field);

        impl TryFrom<$std> for $type {
            type Error = std::io::Error;

            #[inline]
            fn try_from(socket: $std) -> std::io::Result<$type> {
                $type::from_std(socket)
            }
        }

        impl TryFrom<std::os::fd::OwnedFd> for $type {
            type Error = std::io::Error;

            /// As `from_std`, for a socket of this kind from anywhere.
            #[inline]
            fn try_from(socket: std::os::fd::OwnedFd) -> std::io::Result<$type> {
                $type::from_std(socket.into())
            }
        }

        impl From<$type> for std::os::fd::OwnedFd {
            /// Gives the socket away, deregistered. It stays nonblocking.
            #[inline]
            fn from(socket: $type) -> std::os::fd::OwnedFd {
                socket.$field.into_inner().into()
            }
        }

        /// As the standard library's.
        impl std::fmt::Debug for $type {
            #[inline]
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.$field.get_ref(), f)
            }
        }
    };
}

pub(crate) use {has_fd, reads_file, std_socket, writes_file};
