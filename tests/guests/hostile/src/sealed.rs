//! Guests that look for what they were not given: files, sockets, names, the surroundings.

use std::fs::{self, File, OpenOptions};
use std::time::{Duration, SystemTime};

use wasip2::cli::{environment, terminal_stderr, terminal_stdin, terminal_stdout};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::filesystem::preopens;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

/// What it has without asking.
pub(crate) fn given() -> String {
    let terminals = [
        terminal_stdin::get_terminal_stdin().is_some(),
        terminal_stdout::get_terminal_stdout().is_some(),
        terminal_stderr::get_terminal_stderr().is_some(),
    ];
    format!(
        "{} arguments, {} variables, folder {:?}, {} preopens, {} terminals",
        environment::get_arguments().len(),
        environment::get_environment().len(),
        environment::initial_cwd(),
        preopens::get_directories().len(),
        terminals.into_iter().filter(|is| *is).count(),
    )
}

/// With no descriptor to begin from, none of these has a place to happen in.
pub(crate) fn files() -> String {
    let done = [
        fs::read_dir("/").is_ok(),
        File::open("/etc/passwd").is_ok(),
        File::open("/etc/").is_ok(),
        File::open("../../../etc/passwd").is_ok(),
        File::open("/proc/self/environ").is_ok(),
        OpenOptions::new().write(true).truncate(true).open("/etc/hostname").is_ok(),
        File::create("here").is_ok(),
        fs::create_dir("here/").is_ok(),
        fs::rename("/etc/hostname", "here").is_ok(),
        fs::hard_link("/etc/hostname", "here").is_ok(),
        fs::remove_file("/etc/hostname").is_ok(),
        fs::metadata("/etc/passwd/").is_ok(),
    ];
    format!("{} of {} done", done.into_iter().filter(|is| *is).count(), done.len())
}

const LOOPBACK: IpSocketAddress =
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 4222, address: (127, 0, 0, 1) });

const LOOPBACK_6: IpSocketAddress = IpSocketAddress::Ipv6(Ipv6SocketAddress {
    port: 4222,
    flow_info: 0,
    address: (0, 0, 0, 0, 0, 0xffff, 0x7f00, 1),
    scope_id: 0,
});

pub(crate) fn tcp() -> String {
    let network = instance_network();
    let families = [(IpAddressFamily::Ipv4, LOOPBACK), (IpAddressFamily::Ipv6, LOOPBACK_6)];
    let done = families.map(|(family, address)| match create_tcp_socket(family) {
        Err(error) => error.name().to_owned(),
        Ok(socket) => {
            let bound = socket.start_bind(&network, address).is_ok();
            let connected = socket.start_connect(&network, address).is_ok();
            format!("a socket, bound: {bound}, connected: {connected}")
        }
    });
    done.join(", ")
}

pub(crate) fn udp() -> String {
    let network = instance_network();
    let families = [(IpAddressFamily::Ipv4, LOOPBACK), (IpAddressFamily::Ipv6, LOOPBACK_6)];
    let done = families.map(|(family, address)| match create_udp_socket(family) {
        Err(error) => error.name().to_owned(),
        Ok(socket) => {
            let bound = socket.start_bind(&network, address).is_ok();
            let connected = socket.stream(Some(address)).is_ok();
            format!("a socket, bound: {bound}, connected: {connected}")
        }
    });
    done.join(", ")
}

pub(crate) fn names() -> String {
    let network = instance_network();
    let long = "a.".repeat(100_000);
    let names = ["localhost", "127.0.0.1", "metadata.google.internal", "", "a\0b", &long];
    let resolved = names.iter().filter(|name| {
        resolve_addresses(&network, name).is_ok_and(|addresses| {
            addresses.subscribe().block();
            matches!(addresses.resolve_next_address(), Ok(Some(_)))
        })
    });
    format!("{} of {} resolved", resolved.count(), names.len())
}

/// Each would be a descriptor of the host.
pub(crate) fn a_thousand_sockets() -> String {
    let made = (0..1_000).filter_map(|n| match n % 2 {
        0 => create_tcp_socket(IpAddressFamily::Ipv4).ok().map(drop),
        _ => create_udp_socket(IpAddressFamily::Ipv6).ok().map(drop),
    });
    format!("{} made", made.count())
}

/// Moments that some clocks cannot say.
pub(crate) fn before_1970() -> String {
    let before = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1));
    let set = before
        .is_some_and(|before| File::open("/").is_ok_and(|file| file.set_modified(before).is_ok()));
    monotonic_clock::subscribe_instant(0).block();
    format!("set: {set}, now is later: {}", 0 < wall_clock::now().seconds)
}
