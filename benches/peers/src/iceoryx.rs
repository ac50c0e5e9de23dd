//! iceoryx2: publish and subscribe with one loan a message. A publisher that finds the subscriber's buffer full
//! tries again and again: it has nothing to sleep on. A subscriber polls, or waits for an event.

use crate::{Channel, Peer};
use iceoryx2::node::Node;
use iceoryx2::port::{listener::Listener, notifier::Notifier, publisher::Publisher, subscriber::Subscriber};
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::{event, publish_subscribe};
use std::error::Error;
use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr::{copy_nonoverlapping, null, null_mut};
use std::sync::OnceLock;
use std::time::Duration;

type Service = ipc::Service;

/// Copied in and out, and the subscriber sleeps.
#[unsafe(export_name = "peer_iceoryx2")]
pub static ICEORYX2: Peer = Peer {
    open: Some(open),
    join: Some(join_event),
    put: Some(put),
    get: Some(get),
    leave: Some(leave),
    close: Some(close),
    ..Peer::NONE
};

/// Written and read in place, and both sides poll.
#[unsafe(export_name = "peer_iceoryx2_lent")]
pub static ICEORYX2_LENT: Peer = Peer {
    open: Some(open),
    join: Some(join_polling),
    lend: Some(lend),
    commit: Some(commit),
    peek: Some(peek),
    release: Some(release),
    leave: Some(leave),
    close: Some(close),
    ..Peer::NONE
};

/// Dropped in this order.
struct State {
    lent: Option<SampleMutUninit<Service, [MaybeUninit<u8>], ()>>,
    peeked: Option<Sample<Service, [u8], ()>>,
    publisher: Option<Publisher<Service, [u8], ()>>,
    subscriber: Option<Subscriber<Service, [u8], ()>>,
    notifier: Option<Notifier<Service>>,
    listener: Option<Listener<Service>>,
    streams: bool,
    _node: Node<Service>,
}

/// The process that opened the first channel: in the names of all that is made, so that they can be removed.
static OPENER: OnceLock<u32> = OnceLock::new();

fn prefix(channel: &Channel) -> String {
    format!("bench_{}_{}_", OPENER.get_or_init(std::process::id), channel.number)
}

fn directory(channel: &Channel) -> String {
    format!("/tmp/{}iceoryx2", prefix(channel))
}

fn config(channel: &Channel) -> Result<Config, Box<dyn Error>> {
    let mut config = Config::default();
    config.global.prefix = FileName::new(prefix(channel).as_bytes())?;
    config.global.set_root_path(&Path::new(directory(channel).as_bytes())?);
    Ok(config)
}

extern "C" fn open(channel: &mut Channel) -> *const c_char {
    if channel.producers > 1 || channel.consumers > 1 {
        return c"each subscriber would get every message".as_ptr();
    }
    set_log_level(LogLevel::Error);
    match services(channel) {
        Ok(services) => channel.leave_state(services),
        Err(_) => return c"a service cannot be made".as_ptr(),
    }
    null()
}

type Services = (Messages, Events, Node<Service>);
type Messages = publish_subscribe::PortFactory<Service, [u8], ()>;
type Events = event::PortFactory<Service>;

/// Made before there are others: two that make one at the same time are in each other's way.
fn services(channel: &Channel) -> Result<Services, Box<dyn Error>> {
    let node = NodeBuilder::new()
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .config(&config(channel)?)
        .create::<Service>()?;
    let name = ServiceName::new(&channel.number.to_string())?;
    let messages = node
        .service_builder(&name)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(depth(channel))
        .open_or_create()?;
    let events = node.service_builder(&name).event().open_or_create()?;
    Ok((messages, events, node))
}

fn depth(channel: &Channel) -> usize {
    (65536 / channel.size).clamp(16, 1024)
}

fn join(channel: &mut Channel, puts: bool, event: bool) -> Result<(), Box<dyn Error>> {
    let (messages, events, node) = services(channel)?;
    let mut state = State {
        lent: None,
        peeked: None,
        publisher: None,
        subscriber: None,
        notifier: None,
        listener: None,
        streams: false,
        _node: node,
    };
    if puts {
        state.publisher = Some(
            messages
                .publisher_builder()
                .initial_max_slice_len(channel.size)
                .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
                .create()?,
        );
        state.notifier = if event { Some(events.notifier_builder().create()?) } else { None };
    } else {
        state.subscriber = Some(messages.subscriber_builder().buffer_size(depth(channel)).create()?);
        state.listener = if event { Some(events.listener_builder().create()?) } else { None };
    }
    channel.leave_state(state);
    Ok(())
}

fn joined(result: Result<(), Box<dyn Error>>) -> bool {
    if let Err(error) = &result {
        eprintln!("bench: iceoryx2: {error}");
    }
    result.is_ok()
}

extern "C" fn join_event(channel: &mut Channel, puts: bool, _: c_int) -> bool {
    joined(join(channel, puts, true))
}

extern "C" fn join_polling(channel: &mut Channel, puts: bool, _: c_int) -> bool {
    joined(join(channel, puts, false))
}

extern "C" fn lend(channel: &mut Channel) -> *mut u8 {
    let size = channel.size;
    let state = channel.state::<State>();
    let Some(publisher) = &state.publisher else { return null_mut() };
    match publisher.loan_slice_uninit(size) {
        Ok(lent) => state.lent.insert(lent).payload_mut().as_mut_ptr().cast(),
        Err(_) => null_mut(),
    }
}

extern "C" fn commit(channel: &mut Channel) -> bool {
    let state = channel.state::<State>();
    let Some(lent) = state.lent.take() else { return false };
    // SAFETY: the caller has written it.
    if unsafe { lent.assume_init() }.send().is_err() {
        return false;
    }
    // What fills the buffer before the subscriber has looked into it once is dropped.
    if !std::mem::replace(&mut state.streams, true) {
        std::thread::sleep(Duration::from_millis(10));
    }
    state.notifier.as_ref().is_none_or(|notifier| notifier.notify().is_ok())
}

/// It looks now and then whether all is over: a subscriber that is killed leaves files.
extern "C" fn peek(channel: &mut Channel) -> *const u8 {
    while !channel.stopped() {
        let state = channel.state::<State>();
        let Some(subscriber) = &state.subscriber else { return null() };
        match (subscriber.receive(), &state.listener) {
            (Ok(Some(sample)), _) => return state.peeked.insert(sample).payload().as_ptr(),
            (Ok(None), Some(listener)) => {
                if listener.timed_wait(|_| (), Duration::from_millis(20)).is_err() {
                    return null();
                }
            }
            (Ok(None), None) => std::hint::spin_loop(),
            (Err(_), _) => return null(),
        }
    }
    null()
}

extern "C" fn release(channel: &mut Channel) {
    channel.state::<State>().peeked = None;
}

extern "C" fn put(channel: &mut Channel, message: *const u8) -> bool {
    let place = lend(channel);
    if place.is_null() {
        return false;
    }
    // SAFETY: both have the channel's size.
    unsafe { copy_nonoverlapping(message, place, channel.size) };
    commit(channel)
}

extern "C" fn get(channel: &mut Channel, message: *mut u8) -> bool {
    let place = peek(channel);
    if place.is_null() {
        return false;
    }
    // SAFETY: both have the channel's size.
    unsafe { copy_nonoverlapping(place, message, channel.size) };
    release(channel);
    true
}

extern "C" fn leave(channel: &mut Channel) {
    channel.drop_state::<State>();
}

/// A publisher that found nobody to take its message had to be killed.
extern "C" fn close(channel: &mut Channel) {
    channel.state::<Services>().2.try_cleanup_dead_nodes();
    channel.drop_state::<Services>();
    // Some files stay even then. All have a name that begins alike.
    let _ = std::fs::remove_dir_all(directory(channel));
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix(channel)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
