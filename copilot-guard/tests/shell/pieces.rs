//! How many pieces an answer leaves in: each is a write to the client and a commit of the record.

use crate::support::*;

fn events() -> Vec<String> {
    let event = |i: usize| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"word {i} \"}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    (0..100).map(event).chain([end.to_owned()]).collect()
}

async fn pieces(answer: Answer) -> usize {
    let house = House::new(Model::one(answer));
    let mut response = house.send(streamed(CHAT, "hi")).await;
    let (mut count, mut body) = (0, String::new());
    while let Some(piece) = one_piece(response.body_mut()).await {
        count += 1;
        body += &piece;
    }
    assert!(chat_texts(&body)["0.content"].ends_with("word 99 "));
    count
}

#[tokio::test]
async fn what_comes_together_leaves_together() {
    assert!(pieces(Answer::pieces(events())).await <= 2);
    // The control: what comes one by one is not kept back for the rest.
    assert!(pieces(Answer::spaced(events())).await > 50);
}
