-- The shape of a conversation is computed by the service, which hands it over with the other rows.
drop function aftercall.store_conversations(uuid[]);
drop function aftercall.talk_in_buckets(uuid, bigint);
drop function aftercall.emotion_runs(uuid);
drop function aftercall.timed_utterances(uuid[]);
drop aggregate aftercall.latest_two(bigint);
drop function aftercall.later_of_two(bigint[], bigint);
drop function aftercall.word_count(text);
