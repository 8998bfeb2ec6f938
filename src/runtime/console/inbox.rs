//! What waits to be taken into the model, in pieces that hold up no key.

use tokio::sync::mpsc;

use crate::app::msg::Msg;
use crate::domain::queue::Row;

/// Alerts in a piece: taking them into the queue takes about as long as messages are given at a time.
const PIECE: usize = 128;

/// The one message queue, seen from the model.
pub(super) struct Inbox {
    queue: mpsc::Receiver<Msg>,
    /// What is left of a message with more alerts than a piece has.
    left: std::vec::IntoIter<Row>,
}

impl Inbox {
    pub(super) fn new(queue: mpsc::Receiver<Msg>) -> Self {
        Self {
            queue,
            left: Vec::new().into_iter(),
        }
    }

    /// Waits for the next message; `None` once nobody is left who could send one. Whoever stops waiting loses nothing.
    pub(super) async fn recv(&mut self) -> Option<Msg> {
        match self.piece() {
            Some(msg) => Some(msg),
            None => self.queue.recv().await.map(|msg| self.begin(msg)),
        }
    }

    /// Returns the next message if one is there.
    pub(super) fn try_recv(&mut self) -> Option<Msg> {
        match self.piece() {
            Some(msg) => Some(msg),
            None => self.queue.try_recv().ok().map(|msg| self.begin(msg)),
        }
    }

    fn begin(&mut self, msg: Msg) -> Msg {
        match msg {
            Msg::Alerts(rows) if rows.len() > PIECE => {
                self.left = rows.into_iter();
                Msg::SomeAlerts(self.left.by_ref().take(PIECE).collect())
            }
            msg => msg,
        }
    }

    fn piece(&mut self) -> Option<Msg> {
        let rows: Vec<Row> = self.left.by_ref().take(PIECE).collect();
        match (rows.is_empty(), self.left.len()) {
            (true, _) => None,
            (false, 0) => Some(Msg::Alerts(rows)),
            (false, _) => Some(Msg::SomeAlerts(rows)),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::intake::decode::decode;

    fn rows(names: std::ops::Range<usize>) -> Vec<Row> {
        let at = Timestamp::UNIX_EPOCH;
        let raws = names
            .map(|n| format!(r#"{{"class_uid":2004,"time":1,"finding_info":{{"uid":"{n}"}}}}"#));
        raws.flat_map(|raw| decode(None, raw.as_bytes(), "s", at).unwrap())
            .map(|alert| Row {
                alert,
                count: 1,
                first_seen: at,
                last_seen: at,
            })
            .collect()
    }

    fn name(row: &Row) -> usize {
        row.alert.id.as_str()["s/".len()..].parse().unwrap()
    }

    #[tokio::test]
    async fn many_alerts_come_in_pieces_and_nothing_overtakes_them() {
        let (sender, queue) = mpsc::channel(4);
        sender.try_send(Msg::Alerts(rows(0..300))).unwrap();
        sender.try_send(Msg::Tick).unwrap();
        sender
            .try_send(Msg::Alerts(rows(300..300 + PIECE)))
            .unwrap();
        drop(sender);
        let mut inbox = Inbox::new(queue);
        let (mut came, mut sizes, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = inbox.recv().await;
        while let Some(msg) = first.take().or_else(|| inbox.try_recv()) {
            match msg {
                Msg::Alerts(rows) => {
                    sizes.push(rows.len());
                    came.extend(rows.iter().map(name));
                    last.push(came.len());
                }
                Msg::SomeAlerts(rows) => {
                    sizes.push(rows.len());
                    came.extend(rows.iter().map(name));
                }
                Msg::Tick => sizes.push(0),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(sizes, [PIECE, PIECE, 300 - 2 * PIECE, 0, PIECE]);
        assert!(came.iter().copied().eq(0..300 + PIECE), "{came:?}");
        assert_eq!(last, [300, 300 + PIECE], "what the last of each message is");
        assert!(inbox.recv().await.is_none());
    }
}
