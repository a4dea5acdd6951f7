//! Shouts what it is told, while it is still being told.

use exports::example::shouting::shouter::Guest;
use wit_bindgen::{StreamReader, StreamResult, spawn_local};

wit_bindgen::generate!({ path: "../wit", world: "example:shouting/shouting" });

struct Shouter;

export!(Shouter);

impl Guest for Shouter {
    async fn shout(mut text: StreamReader<u8>) -> StreamReader<u8> {
        let (mut to, shouted) = wit_stream::new();
        // Goes on after the function has returned, until the text ends or nobody listens.
        spawn_local(async move {
            loop {
                let (result, piece) = text.read(Vec::with_capacity(4096)).await;
                let unheard = to.write_all(piece.to_ascii_uppercase()).await;
                if !unheard.is_empty() || matches!(result, StreamResult::Dropped) {
                    return;
                }
            }
        });
        shouted
    }
}
