//! Setting one leaf of a record by its path, in the record's JSON: `patient.phones.0.number`.

use serde_json::Value;

/// Sets one leaf, making the objects on the way to it. A list grows by one at most.
///
/// # Errors
/// The path leads nowhere; in words.
pub(crate) fn set_path(root: &mut Value, path: &str, leaf: Value) -> Result<(), String> {
    let mut node = root;
    let mut leaf = Some(leaf);
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let last = steps.peek().is_none();
        let next_is_index = steps.peek().is_some_and(|next| next.parse::<usize>().is_ok());
        let empty = || if next_is_index { Value::Array(Vec::new()) } else { Value::Object(serde_json::Map::new()) };
        node = match node {
            Value::Object(fields) => fields.entry(step.to_owned()).or_insert_with(empty),
            Value::Array(items) => {
                let at: usize = step.parse().map_err(|_| format!("{path}: {step} should be a position in the list, from 0"))?;
                if at > items.len() {
                    return Err(format!("{path}: the list has {} entries", items.len()));
                }
                if at == items.len() {
                    items.push(empty());
                }
                items.get_mut(at).ok_or_else(|| format!("{path}: no such entry"))?
            }
            _ => return Err(format!("{path} is no field of a referral: {step} stands behind a value")),
        };
        if last && let Some(leaf) = leaf.take() {
            *node = leaf;
        }
    }
    Ok(())
}
