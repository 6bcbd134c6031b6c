//! Loopline takes patient referrals in from wherever they come, makes one record of each, acknowledges them, asks the specialist to
//! confirm, reads the answers, and does not let go of a referral.
//!
//! *Once a message is acknowledged it is on disk; it becomes a referral or a person is told why not; every answer that is owed gets sent.*
//!
//! # The path of a referral
//!
//! ```text
//! sender  ──bytes──▶ inbound/mllp.rs     ┐
//! scanner ──pdf────▶ inbound/folder.rs   ├─ Arrival ─▶ engine/intake.rs ──insert──▶ store: message Received
//! mailbox ──eml────▶ inbound/mailbox.rs  ┘                   │
//!                           ▲──── acknowledge ◀── Receipt ───┘   (AA · move the file · flag the mail)
//!                                                                        │ wake or look
//!                                  engine/process.rs ◀───────────────────┘
//!                                    engine/interpret.rs   reader/ (worker process) · normalize/{hl7,fax,email} (pure) ─▶ Outcome
//!                                    engine/decide.rs      Outcome ─▶ Decision: referral, message's rest, what is owed
//!                                    ──finish──▶ store: referral + message state + deliveries Queued
//!                                                                        │ wake or look
//!                                  engine/deliver.rs ◀───────────────────┘
//!                                    engine/letters.rs     compose/* (pure) ─▶ the letter, stored before it leaves
//!                                    outbound/{email,fax,mllp}  send once ──settle──▶ Sent | Queued again | Dead
//! ```
//!
//! An HL7 message is quick to normalize and its answer depends on what it is, so the intake decides it at once and stores message,
//! decision and answer in one transaction. Documents and mails are stored raw and processed later. The three stations are coupled only by
//! the store: a crash between any two arrows leaves a state from which the next start goes on. A reply to a request comes in through the
//! same doors as everything else, or back on the connection that the request went out on (`engine/answers.rs`). What a written referral
//! owes to other systems is `engine/forward.rs`, the order before an MLLP channel `engine/lines.rs`; what people ask to see
//! (`engine/lists.rs`) and decide comes in by [`engine::admin`], and is carried out by [`engine::settle`]. Who was asked, who has anything
//! of it, and what those are to be told is `engine/told.rs`. Which referral a message is about is `engine/finding.rs`, or a person says it
//! (`engine/assignment.rs`). A fax of several documents is taken apart by `normalize/fax/split.rs`, or by a person (`engine/division.rs`).
//! Forms of known senders (`channels/site/forms/`) are found on its pages by `normalize/fax/templates/`, and drafted by `loopline form
//! learn`.
//!
//! # Where is a message?
//!
//! In exactly one [`message::State`]: `Received` (to be processed, or waiting for its next attempt), `Processed`, `Held` (a person must
//! look) or `Failed` (refused or unreadable, with the reason). What is owed for it is a [`delivery::Delivery`] in exactly one
//! [`delivery::DeliveryState`]. What it says of a patient is a [`referral::Referral`], whose [`referral::Status`] is derived from its
//! history; `held` is a flag beside it.
//!
//! # Reading order
//!
//! 1. [`message`], [`delivery`], [`referral`]: the nouns, and what may follow what. No I/O.
//! 2. [`engine`]: the stations, in the order of the path: [`engine::intake`], [`engine::process`], [`engine::deliver`].
//! 3. [`normalize`] and [`compose`]: pure; what is read, what is written.
//! 4. [`inbound`] and [`outbound`]: one file a connector.
//! 5. [`store`]: how it is durable. [`reader`]: how untrusted documents are opened. [`protocols`]: wire formats and page images, which
//!    know nothing of us.
//! 6. [`config`] and [`commands`]: what people write and type.
//!
//! # Adding a channel
//!
//! Of a known type: one TOML file in `channels/`. A new type: one file in [`inbound`] or [`outbound`] plus three lines in its `mod.rs`
//! (module, enum variant, trait), its arm in `engine/doors.rs` or [`engine::deliver`], its keys in `config/`, an example in `channels/`.
//!
//! # Invariants
//!
//! 1. A positive acknowledgement was sent ⇒ the message is on disk, byte for byte, and survives `kill -9` and power loss.
//!    ([`store::Receipt`] is made by the commit alone; no positive HL7 answer can be had without one.)
//! 2. The same message twice ⇒ one referral, the same answer twice.
//! 3. Every message rests, or has a time when it is tried again.
//! 4. Every delivery is claimed durably before its first byte leaves, and ends sent, or dead with a reason a person sees. Through an MLLP
//!    channel they leave in the order queued; the first in line is tried until it is taken or a person steps in.
//! 5. No patient data in a log line, an error text, a file name of ours or a mail subject.
//! 6. No automatic reply, bounce or unclear reply changes a status.
//! 7. Nothing from outside is unbounded: each limit is named.

pub mod commands;
pub mod compose;
pub mod config;
pub mod delivery;
pub mod engine;
pub mod ids;
pub mod inbound;
pub mod message;
pub mod normalize;
pub mod outbound;
pub mod protocols;
pub mod reader;
pub mod referral;
pub mod store;
pub mod telemetry;
