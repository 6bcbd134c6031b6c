//! The page that asks a sender to check what was read, come back: what they ticked as right is confirmed, what they wrote is for a person.
//!
//! # Design notes
//! A tick confirms the field that stood in its row when the page was printed. The record may have changed since, so the page carries a
//! digest of what it asked about; where that does not fit any more, a person compares.

use super::{decide::Desk, referring, replies, settle, told::Letters};
use crate::{
    compose::acknowledgement::{asked_digest, fields_to_confirm, rows_asked},
    referral::{HistoryEvent, Referral, Reply, ReplyOutcome, ReturnedPage, Status, Tick},
    store::StoreError,
};

/// Takes the page.
pub(super) fn take(
    desk: &mut Desk<'_>,
    reply: Reply,
    mut referral: Referral,
    doubt: Option<&'static str>,
) -> Result<(), StoreError> {
    let Some(page) = reply.page.as_deref() else { return desk.hold_message("a reply without content") };
    let message = desk.message().id;
    let fields = fields_to_confirm(&referral.record);
    let unproven = (reply.matched_by.as_deref() != Some("token")).then_some(replies::UNPROVEN_PAGE);
    let changed = (page.asked.as_deref() != Some(asked_digest(&fields).as_str())).then_some(
        "the sender checked fields that stand otherwise by now: compare, then `confirm` or `correct`, then `set-aside`",
    );
    let has_box = |row: usize| page.boxes.iter().any(|one| one.name == format!("right-{row}"));
    let mut shown = fields.iter().take(rows_asked(fields.len())).enumerate();
    let unseen = shown
        .any(|(row, field)| field.value.is_some() && !has_box(row))
        .then_some("a box of the page was not found: look at the page, then `confirm` or `correct`, then `set-aside`");
    if let Some(why) = doubt.or(unproven).or(changed).or(unseen) {
        replies::wait_for_person(desk, &mut referral, Reply { outcome: ReplyOutcome::Unclear, ..reply }, why);
        desk.write(referral);
        return Ok(());
    }
    let confirmed: Vec<String> = right_rows(page).filter_map(|row| fields.get(row)).map(|field| field.path.clone()).collect();
    referral.pending_replies.retain(|pending| pending.message != message);
    if !confirmed.is_empty() {
        referral.record.review.retain(|path| !confirmed.contains(path));
        settle::release_settled(&mut referral.record);
        let event = desk.entry(HistoryEvent::Confirmed { fields: confirmed });
        referral.record_event(event);
    }
    if reply.outcome == ReplyOutcome::Unclear {
        let why = "the sender wrote on the page, or ticked it so that it is not plain: `correct` or `confirm` the fields, then `set-aside`";
        replies::wait_for_person(desk, &mut referral, reply, why);
    }
    let unasked = referral.status == Status::New && Letters::of(desk.store, referral.id)?.asked_desks().is_empty();
    if referral.record.held.is_empty() && unasked {
        referring::ask_or_hold(desk, &mut referral)?;
    }
    desk.write(referral);
    Ok(())
}

/// The rows that are ticked as right and have nothing written beside them. What is written elsewhere may be about any of them.
fn right_rows(page: &ReturnedPage) -> impl Iterator<Item = usize> {
    let nowhere_else = page.writing.iter().all(|written| written.name.starts_with("correction-"));
    let corrected = |row: &str| page.writing.iter().any(|written| written.name.strip_prefix("correction-") == Some(row));
    page.boxes.iter().filter(move |one| nowhere_else && one.tick == Tick::Ticked).filter_map(move |one| {
        let row = one.name.strip_prefix("right-")?;
        (!corrected(row)).then(|| row.parse().ok())?
    })
}
