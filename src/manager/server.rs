//! The server: one thread, one loop. It never waits for a client: what cannot be answered now is parked, what a
//! client does not read stays in its output, and of one that has not read its last answer nothing more is taken.
//!
//! | a client is | and waits for                        | until                                     |
//! |-------------|--------------------------------------|-------------------------------------------|
//! | idle        | a request                            | one has come                              |
//! | parked      | its object to change                 | that has, its time is over, or it is gone |
//! | behind      | the other end to read what it was sent | it has                                  |

use super::channel::{Came, Channel};
use super::hall::Hall;
use super::message::{self, Answer};
use super::registry::House;
use super::store::Ticket;
use super::types::{Caller, Gift};
use crate::error::{Result, Status};
use crate::log;
use crate::park::Patience;
use crate::sys::watch::{Happened, Interest, Watch};
use crate::time::{Deadline, Instant};
use crate::wire::{Connection, Listener};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// Of those who knock, so many are let in before others have another turn.
const AT_ONCE: usize = 16;
/// How long nobody is let in where there is no descriptor for him.
const PAUSE: Duration = Duration::from_millis(100);
/// How often those are looked after who have not proved their key yet.
const LOOK: Duration = Duration::from_secs(1);

/// In place of a client's number.
const LISTENER: u64 = u64::MAX;
const CONTROL: u64 = u64::MAX - 1;
const BELL: u64 = u64::MAX - 2;

/// What a server takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest message, in bytes, either way.
    pub(crate) message: usize,
    /// All that is stored, about, in bytes.
    pub(crate) total: usize,
}

/// What a call gave its caller, who may not learn of it.
pub(super) struct Undo {
    pub(super) object: u64,
    pub(super) caller: Caller,
    pub(super) gift: Gift,
}

/// What is known of the last answer when a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// The client has read it: the kernel says so by an end, and not a reset.
    Yes,
    No,
    /// The network is gone, and with it soon the session.
    Perhaps,
}

/// What became of the last answer.
#[derive(Default)]
pub(super) struct Given {
    /// What may be undone.
    pub(super) undo: Vec<Undo>,
    /// Leases that came with it.
    pub(super) leases: Vec<u64>,
}

pub(super) struct Client {
    channel: Channel,
    /// Since its first request.
    pub(super) session: Option<Ticket>,
    /// The number of what it waits for, while it is parked.
    pub(super) parked: Option<u64>,
    pub(super) given: Given,
    interest: Interest,
    /// Bytes of its buffers, as far as the server has counted them.
    counted: usize,
}

/// Clients by number: a place in the low 32 bits, and how often that was used before.
#[derive(Default)]
pub(super) struct Clients {
    places: Vec<(u32, Option<Client>)>,
    free: Vec<u32>,
}

impl Clients {
    fn add(&mut self, client: Client) -> u64 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            self.places.len() as u32 - 1
        });
        let (turn, free) = &mut self.places[place as usize];
        *free = Some(client);
        u64::from(*turn) << 32 | u64::from(place)
    }

    pub(super) fn get(&mut self, number: u64) -> Option<&mut Client> {
        let (turn, client) = self.places.get_mut(number as u32 as usize)?;
        client.as_mut().filter(|_| u64::from(*turn) == number >> 32)
    }

    fn remove(&mut self, number: u64) -> Option<Client> {
        self.get(number)?;
        let place = number as u32;
        let (turn, client) = &mut self.places[place as usize];
        // One bit less: the numbers of the listener and of the control are nobody's.
        *turn = (*turn + 1) & 0x7FFF_FFFF;
        self.free.push(place);
        client.take()
    }

    /// Whose buffers are the largest.
    fn largest(&self) -> Option<u64> {
        let all = self.places.iter().enumerate();
        let taken = all.filter_map(|(place, (turn, client))| Some((client.as_ref()?.counted, *turn, place)));
        taken.max().map(|(_, turn, place)| u64::from(turn) << 32 | place as u64)
    }
}

pub(crate) struct Server {
    listener: Listener,
    watch: Watch,
    clients: Clients,
    hall: Hall,
    limits: Limits,
    /// Bytes of all clients' buffers, but for small ones.
    buffered: usize,
    /// No descriptor was free: nobody is let in for the moment.
    paused: bool,
    /// When the listener is looked at though nothing happened there.
    look: Instant,
    /// For the next request, before a sleep.
    patience: Patience,
}

impl Server {
    pub(super) fn new(listener: Listener, limits: Limits, house: Arc<House>) -> Result<Self> {
        let server = Server {
            watch: Watch::new()?,
            listener,
            clients: Clients::default(),
            hall: Hall::new(limits, house)?,
            limits,
            buffered: 0,
            paused: false,
            look: Instant::now(),
            patience: Patience::default(),
        };
        server.listener.with_fd(|fd| server.watch.add(fd, LISTENER, Interest::Reading))??;
        server.watch.add(server.hall.store.house.bell(), BELL, Interest::Reading)?;
        Ok(server)
    }

    /// Serves until the other end of `control` is closed.
    pub(crate) fn run(&mut self, control: BorrowedFd<'_>) -> Result<()> {
        self.watch.add(control, CONTROL, Interest::Reading)?;
        let mut happened: Vec<Happened> = Vec::new();
        while self.turn(&mut happened)? {}
        Ok(())
    }

    /// Waits until something happens, and sees to it. False: it was the end.
    pub(super) fn turn(&mut self, happened: &mut Vec<Happened>) -> Result<bool> {
        let limit = self.limit();
        let mut found = Ok(());
        let is_there = self.patience.spin(|| {
            found = self.watch.wait(happened, Duration::ZERO);
            found.is_err() || !happened.is_empty()
        });
        found?;
        if !is_there {
            self.watch.wait(happened, limit)?;
        }
        for event in &*happened {
            match event.number {
                CONTROL => return Ok(false),
                LISTENER => self.let_in(),
                BELL => self.answer_bell(),
                number => self.serve(number, event.over),
            }
        }
        if self.is_looking() && self.look <= Instant::now() {
            self.let_in();
        }
        self.hall.expire(&mut self.clients);
        self.settle();
        Ok(true)
    }

    /// Ends all objects. The functions of the program that still run are waited for until the deadline.
    pub(super) fn end(self, deadline: Deadline) {
        let house = Arc::clone(&self.hall.store.house);
        drop(self);
        house.crew.finish(deadline);
    }

    /// What threads of this process want.
    fn answer_bell(&mut self) {
        let rung = self.hall.store.house.answer();
        self.hall.store.changed.extend(rung.objects);
        // One that cannot be watched is closed, of which its other end learns.
        rung.clients.into_iter().for_each(|one| drop(self.add(one)));
    }

    fn is_looking(&self) -> bool {
        self.paused || self.listener.has_waiting()
    }

    /// How long nothing else has to be done.
    fn limit(&mut self) -> Duration {
        let limit = self.hall.patience();
        match self.is_looking() {
            true => limit.min(self.look.saturating_duration_since(Instant::now())),
            false => limit,
        }
    }

    /// Lets in who has come, and who has proved the key.
    fn let_in(&mut self) {
        self.look = Instant::now() + LOOK;
        if std::mem::take(&mut self.paused) {
            self.watch_listener(Interest::Reading);
        }
        for _ in 0..AT_ONCE {
            let came = self.listener.accept(Deadline::NoWait).and_then(|one| self.add(one));
            match came {
                Ok(()) => {}
                Err(e) if e.status == Status::Timeout => return,
                Err(e) if e.status == Status::Auth => {
                    log::note(log::INFO, || format!("manager: {e}"));
                }
                Err(e) => {
                    // No descriptor is free: whoever knocks goes on knocking.
                    log::note(log::WARNING, || format!("manager: nobody is let in for a while: {e}"));
                    self.paused = true;
                    self.look = Instant::now() + PAUSE;
                    self.watch_listener(Interest::End);
                    return;
                }
            }
        }
    }

    fn watch_listener(&self, interest: Interest) {
        // It is there for as long as the server is.
        let _ = self.listener.with_fd(|fd| self.watch.change(fd, LISTENER, interest));
    }

    pub(super) fn add(&mut self, connection: Connection) -> Result<()> {
        let client = Client {
            channel: Channel::new(connection.into_socket()?),
            session: None,
            parked: None,
            given: Given::default(),
            interest: Interest::Reading,
            counted: 0,
        };
        let number = self.clients.add(client);
        let added = match self.clients.get(number) {
            Some(client) => self.watch.add(client.channel.fd(), number, Interest::Reading),
            None => Ok(()),
        };
        added.inspect_err(|_| drop(self.clients.remove(number)))
    }

    /// Something happened at a client.
    fn serve(&mut self, number: u64, over: bool) {
        let Some(client) = self.clients.get(number) else { return };
        let gone = match (client.parked, client.channel.output.left()) {
            // Whoever is gone does not wait.
            (Some(_), _) => over.then_some(Read::No),
            (None, 0) => match client.channel.fill() {
                Ok(Came::Something) => {
                    // It goes on, so it has the last answer.
                    self.hall.confirm(client);
                    None
                }
                Ok(Came::Nothing) => None,
                Ok(Came::End) => Some(Read::Yes),
                Ok(Came::Reset) => Some(Read::No),
                Err(_) => Some(Read::Perhaps),
            },
            (None, _) => (client.channel.flush().is_err() || over).then_some(Read::No),
        };
        if let Some(read) = gone {
            return self.drop_client(number, read);
        }
        self.work(number);
        self.settle();
    }

    /// Answers what has come of a client.
    fn work(&mut self, number: u64) {
        loop {
            let Some(client) = self.clients.get(number) else { return };
            if client.parked.is_some() || client.channel.output.left() > 0 {
                return self.watch_client(number);
            }
            match client.channel.take(self.limits.message) {
                Ok(Some(message)) => {
                    self.hall.handle(&mut self.clients, number, &message);
                    if let Some(client) = self.clients.get(number) {
                        client.channel.give_back(message);
                    }
                    self.hall.wake(&mut self.clients);
                }
                Ok(None) => return self.watch_client(number),
                Err(e) => {
                    let _ = client.answer(&Err(e));
                    return self.drop_client(number, Read::No);
                }
            }
            if self.clients.get(number).is_some_and(|client| client.channel.flush().is_err()) {
                return self.drop_client(number, Read::No);
            }
        }
    }

    /// Whoever was answered while another was served goes on.
    fn settle(&mut self) {
        loop {
            self.hall.wake(&mut self.clients);
            let Some((number, close)) = self.hall.answered.pop_front() else { return };
            let failed = self.clients.get(number).is_some_and(|client| client.channel.flush().is_err());
            if failed || close {
                self.drop_client(number, Read::No);
            } else {
                self.work(number);
            }
        }
    }

    /// Waits for what the client is to do next.
    fn watch_client(&mut self, number: u64) {
        let Some(client) = self.clients.get(number) else { return };
        let large = client.channel.large();
        self.buffered = self.buffered - client.counted + large;
        client.counted = large;
        let interest = match (client.parked, client.channel.output.left()) {
            (Some(_), 0) => Interest::End,
            (_, 0) => Interest::Reading,
            _ => Interest::Writing,
        };
        if interest != client.interest {
            client.interest = interest;
            if self.watch.change(client.channel.fd(), number, interest).is_err() {
                self.drop_client(number, Read::No);
            }
        }
        self.make_room();
    }

    /// Where too much has come in part, or is not read by those to whom it goes, whoever has most of it has to go.
    fn make_room(&mut self) {
        while self.buffered > self.limits.total.max(self.limits.message.saturating_mul(4))
            && let Some(number) = self.clients.largest()
        {
            log::note(log::WARNING, || {
                "manager: a client is cut off that holds up too many bytes".to_owned()
            });
            self.drop_client(number, Read::No);
        }
    }

    fn drop_client(&mut self, number: u64, read: Read) {
        let Some(mut client) = self.clients.remove(number) else { return };
        self.buffered -= client.counted;
        self.watch.remove(client.channel.fd());
        self.hall.leave(&mut client, read);
        drop(client);
        self.hall.wake(&mut self.clients);
    }
}

impl Client {
    /// Puts an answer into its output.
    pub(super) fn answer(&mut self, answer: &Answer) -> Result<()> {
        message::encode_answer(answer, &mut self.channel.output)
    }
}
