//! Socket options in Rust's types: the kinds of value, and the macro that writes their methods.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::sys::{PMTUDISC_PROBE, PMTUDISC_WANT, RawLinger, RawValue};

/// How a value of an option goes to the kernel and comes back.
pub(crate) trait Kind {
    type Value;
    type Raw: RawValue;

    fn from_raw(raw: Self::Raw) -> Self::Value;
    fn into_raw(value: Self::Value) -> Self::Raw;
}

/// On or off.
pub(crate) enum Flag {}

impl Kind for Flag {
    type Value = bool;
    type Raw = i32;

    #[inline]
    fn from_raw(raw: i32) -> bool {
        raw != 0
    }

    #[inline]
    fn into_raw(value: bool) -> i32 {
        i32::from(value)
    }
}

/// A size or a count. The kernel never reports one below zero, and has its own limits below
/// `i32::MAX`, which values beyond count as.
pub(crate) enum Number {}

impl Kind for Number {
    type Value = u32;
    type Raw = i32;

    #[inline]
    fn from_raw(raw: i32) -> u32 {
        u32::try_from(raw).unwrap_or(0)
    }

    #[inline]
    fn into_raw(value: u32) -> i32 {
        i32::try_from(value).unwrap_or(i32::MAX)
    }
}

/// Whether datagrams may be fragmented on their way, as a kind of path MTU discovery.
pub(crate) enum DontFragment {}

impl Kind for DontFragment {
    type Value = bool;
    type Raw = i32;

    #[inline]
    fn from_raw(raw: i32) -> bool {
        raw == PMTUDISC_PROBE
    }

    #[inline]
    fn into_raw(value: bool) -> i32 {
        if value { PMTUDISC_PROBE } else { PMTUDISC_WANT }
    }
}

/// An address of IPv4.
pub(crate) enum AddressV4 {}

impl Kind for AddressV4 {
    type Value = Ipv4Addr;
    type Raw = [u8; 4];

    fn from_raw(raw: [u8; 4]) -> Ipv4Addr {
        Ipv4Addr::from(raw)
    }

    fn into_raw(value: Ipv4Addr) -> [u8; 4] {
        value.octets()
    }
}

/// A duration in whole seconds.
pub(crate) enum Seconds {}

impl Kind for Seconds {
    type Value = Duration;
    type Raw = i32;

    #[inline]
    fn from_raw(raw: i32) -> Duration {
        Duration::from_secs(Number::from_raw(raw).into())
    }

    /// Rounded up, so that a short duration does not become none.
    #[inline]
    fn into_raw(value: Duration) -> i32 {
        let up = u64::from(value.subsec_nanos() > 0);
        i32::try_from(value.as_secs().saturating_add(up)).unwrap_or(i32::MAX)
    }
}

/// A time limit in whole milliseconds, if there is one.
pub(crate) enum Milliseconds {}

impl Kind for Milliseconds {
    type Value = Option<Duration>;
    type Raw = i32;

    #[inline]
    fn from_raw(raw: i32) -> Option<Duration> {
        (raw > 0).then(|| Duration::from_millis(Number::from_raw(raw).into()))
    }

    /// Rounded up, and at least one, so that a short limit does not become none.
    #[inline]
    fn into_raw(value: Option<Duration>) -> i32 {
        let Some(duration) = value else { return 0 };
        i32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX).max(1)
    }
}

/// How long closing lingers, if it does.
pub(crate) enum Linger {}

impl Kind for Linger {
    type Value = Option<Duration>;
    type Raw = RawLinger;

    #[inline]
    fn from_raw(raw: RawLinger) -> Option<Duration> {
        (raw.on != 0).then(|| Seconds::from_raw(raw.seconds))
    }

    #[inline]
    fn into_raw(value: Option<Duration>) -> RawLinger {
        match value {
            Some(duration) => RawLinger { on: 1, seconds: Seconds::into_raw(duration) },
            None => RawLinger::default(),
        }
    }
}

/// Writes the getter and the setter of options, within an `impl` of a type that is `AsFd`. After the
/// words on each, its name; then the option and the Rust type of its value.
macro_rules! options {
    ($(
        $(#[$get_words:meta])* $get:ident
        $(#[$set_words:meta])* $set:ident = $option:ident: $value:ty;
    )*) => {$(
        $(#[$get_words])*
        ///
        /// # Errors
        ///
        /// Those of getsockopt(2).
        #[inline]
        pub fn $get(&self) -> io::Result<$value> {
            $crate::sys::option(self.as_fd(), &$crate::sys::$option)
        }

        $(#[$set_words])*
        ///
        /// # Errors
        ///
        /// Those of setsockopt(2).
        #[inline]
        pub fn $set(&self, value: $value) -> io::Result<()> {
            $crate::sys::set_option(self.as_fd(), &$crate::sys::$option, value)
        }
    )*};
}

/// The interface of an internet socket, within an `impl` of a type that is `AsFd`.
macro_rules! device_options {
    () => {
        /// The network interface the socket is bound to, by name (`SO_BINDTODEVICE`).
        ///
        /// # Errors
        ///
        /// Those of getsockopt(2).
        #[inline]
        pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
            $crate::sys::device(self.as_fd())
        }

        /// Binds the socket to a network interface by its name, such as `b"eth0"`: it sends and
        /// receives there only (`SO_BINDTODEVICE`). `None` undoes it.
        ///
        /// # Errors
        ///
        /// Those of setsockopt(2): there is no such interface, or the socket is bound to one already
        /// and the process lacks `CAP_NET_RAW`.
        #[inline]
        pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
            $crate::sys::bind_device(self.as_fd(), interface)
        }
    };
}

pub(crate) use {device_options, options};
