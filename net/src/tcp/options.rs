//! The options of a TCP socket, the same before and after it is connected.

/// The options that [`TcpSocket`](crate::TcpSocket) and [`TcpStream`](crate::TcpStream) have in common,
/// within an `impl` of a type that is `AsFd`.
macro_rules! tcp_options {
    () => {
        $crate::options::options! {
            /// Whether small writes are sent at once (`TCP_NODELAY`).
            nodelay
            /// Sends small writes at once, without Nagle's algorithm (`TCP_NODELAY`).
            set_nodelay = TCP_NODELAY: bool;

            /// Whether data is acknowledged at once (`TCP_QUICKACK`).
            quickack
            /// Acknowledges data at once (`TCP_QUICKACK`). The kernel may go back by itself: set it
            /// again after reads if it matters.
            set_quickack = TCP_QUICKACK: bool;

            /// How long closing may block to send the rest (`SO_LINGER`), `None` for not at all.
            linger
            /// Makes closing block until the rest is sent, for at most `linger`, in whole seconds
            /// rounded up (`SO_LINGER`).
            ///
            /// The close, and with it **the thread and all its tasks, blocks** for a duration above
            /// zero. [`set_zero_linger`](Self::set_zero_linger) is the use that is fine.
            set_linger = SO_LINGER: Option<Duration>;

            /// For how long what was sent may go unacknowledged before the connection counts as broken
            /// (`TCP_USER_TIMEOUT`); `None` for as long as the kernel retries, 15 minutes or so.
            user_timeout
            /// Sets for how long what was sent may go unacknowledged before the connection counts as
            /// broken, in whole milliseconds rounded up, at least one (`TCP_USER_TIMEOUT`): operations
            /// then fail with [`TimedOut`](io::ErrorKind::TimedOut). `None` leaves it to the kernel.
            set_user_timeout = TCP_USER_TIMEOUT: Option<Duration>;

            /// Whether an idle connection is probed (`SO_KEEPALIVE`).
            keepalive
            /// Probes an idle connection, so that a peer that is gone is noticed (`SO_KEEPALIVE`).
            set_keepalive = SO_KEEPALIVE: bool;

            /// How long the connection is idle before it is probed (`TCP_KEEPIDLE`).
            keepalive_idle
            /// Sets how long the connection is idle before it is probed, in whole seconds rounded up
            /// (`TCP_KEEPIDLE`). The kernel refuses zero and more than 32767 seconds.
            set_keepalive_idle = TCP_KEEPIDLE: Duration;

            /// The time between two probes (`TCP_KEEPINTVL`).
            keepalive_interval
            /// Sets the time between two probes, in whole seconds rounded up (`TCP_KEEPINTVL`). The
            /// kernel refuses zero and more than 32767 seconds.
            set_keepalive_interval = TCP_KEEPINTVL: Duration;

            /// How many probes go unanswered before the connection counts as broken (`TCP_KEEPCNT`).
            keepalive_count
            /// Sets how many probes go unanswered before the connection counts as broken
            /// (`TCP_KEEPCNT`). The kernel refuses zero and more than 127.
            set_keepalive_count = TCP_KEEPCNT: u32;

            /// The size of the send buffer in bytes, as the kernel counts: twice what was set
            /// (`SO_SNDBUF`).
            send_buffer_size
            /// Sets the size of the send buffer in bytes, which the kernel then no longer adapts
            /// (`SO_SNDBUF`).
            set_send_buffer_size = SO_SNDBUF: u32;

            /// The size of the receive buffer in bytes, as the kernel counts: twice what was set
            /// (`SO_RCVBUF`).
            recv_buffer_size
            /// Sets the size of the receive buffer in bytes, which the kernel then no longer adapts
            /// (`SO_RCVBUF`). For a window above 64 KiB, set it before connecting or listening.
            set_recv_buffer_size = SO_RCVBUF: u32;

            /// The time to live of packets sent over IPv4 (`IP_TTL`).
            ttl
            /// Sets the time to live of packets sent over IPv4 (`IP_TTL`).
            set_ttl = IP_TTL: u32;

            /// The type of service of packets sent over IPv4 (`IP_TOS`).
            tos_v4
            /// Sets the type of service of packets sent over IPv4 (`IP_TOS`).
            set_tos_v4 = IP_TOS: u32;

            /// The traffic class of packets sent over IPv6 (`IPV6_TCLASS`).
            tclass_v6
            /// Sets the traffic class of packets sent over IPv6 (`IPV6_TCLASS`).
            set_tclass_v6 = IPV6_TCLASS: u32;
        }

        /// Makes closing reset the connection and drop what is unsent (`SO_LINGER` of zero).
        ///
        /// # Errors
        ///
        /// Those of setsockopt(2).
        #[inline]
        pub fn set_zero_linger(&self) -> io::Result<()> {
            self.set_linger(Some(Duration::ZERO))
        }

        $crate::options::device_options!();

        /// Takes the error that waits on the socket (`SO_ERROR`).
        ///
        /// # Errors
        ///
        /// Those of getsockopt(2).
        #[inline]
        pub fn take_error(&self) -> io::Result<Option<io::Error>> {
            $crate::sys::take_error(self.as_fd())
        }
    };
}

pub(crate) use tcp_options;
