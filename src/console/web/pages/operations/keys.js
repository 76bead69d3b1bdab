// API keys: who has them, what they may do, and their whole life.
import { del, post } from "../../lib/api.js";
import { html, useState } from "../../lib/html.js";
import { useQuery } from "../../lib/router.js";
import { may, useSession } from "../../lib/session.js";
import { Button } from "../../parts/button.js";
import { Chips } from "../../parts/chips.js";
import { Choice } from "../../parts/choice.js";
import { useConfirm } from "../../parts/confirm.js";
import { Menu } from "../../parts/menu.js";
import { Empty, Failure, Loading } from "../../parts/states.js";
import { Table } from "../../parts/table.js";
import { useToast } from "../../parts/toast.js";
import { chosenSpans, LIFETIMES, NewKey, SpanSelect } from "./new-key.js";
import { Ago, FormDialog, More, Rights, ShownOnce, Status, usePages } from "./parts.js";

export function Keys() {
  const session = useSession();
  const [query, set] = useQuery();
  const unusedDays = query.get("unusedDays") ?? "";
  const list = usePages("/v1/admin/keys", { caller: query.get("caller"), unusedDays });
  const [dialog, setDialog] = useState(
    /** @type {{ kind: "create" } | { kind: "roll", key: Api["KeyView"] } | null} */ (null),
  );
  const [made, setMade] = useState(/** @type {Api["NewKeyView"] | null} */ (null));
  const isAllowed = may(session, "admin:write");
  const confirm = useConfirm();
  const toast = useToast();

  /** @param {Api["KeyView"]} key */
  async function revoke(key) {
    const asked = {
      title: html`Revoke the key <bdi>${key.name}</bdi> of ${key.caller}?`,
      text: "It is rejected within a second, and what uses it stops working. This cannot be undone.",
      action: "Revoke 1 key",
      isDangerous: true,
    };
    if (!(await confirm(asked))) return;
    await del(`/v1/admin/keys/${encodeURIComponent(key.id)}`);
    toast(html`Revoked the key <bdi>${key.name}</bdi> of ${key.caller}.`);
    list.reload();
  }
  /** @param {Api["KeyView"]} key */
  const actions = (key) =>
    html`<${Menu} label="" icon="more" kind="quiet" name=${`Actions for the key ${key.name} of ${key.caller}`} items=${[
      { text: "Roll…", run: () => setDialog({ kind: "roll", key }) },
      { text: "Revoke…", run: () => revoke(key) },
    ]} />`;
  /** @param {Api["NewKeyView"]} key */
  const onMade = (key) => {
    setDialog(null);
    setMade(key);
    list.reload();
  };
  const columns = [
    {
      key: "caller",
      title: "Caller",
      render: (/** @type {Api["KeyView"]} */ it) => html`<strong>${it.caller}</strong>`,
    },
    {
      key: "name",
      title: "Name",
      render: (/** @type {Api["KeyView"]} */ it) =>
        html`<div><bdi class="any-text">${it.name}</bdi> <code class="muted nowrap">ac_${it.id}_…</code></div>`,
    },
    { key: "state", title: "State", render: (/** @type {Api["KeyView"]} */ it) => html`<${KeyState} state=${it} />` },
    {
      key: "scopes",
      title: "May",
      render: (/** @type {Api["KeyView"]} */ it) =>
        html`<span class="scope-list">${it.scopes.map((/** @type {string} */ scope) => html`<code key=${scope} class="nowrap">${scope}</code> `)}</span>`,
    },
    {
      key: "used",
      title: "Last used",
      render: (/** @type {Api["KeyView"]} */ it) => html`<${Ago} at=${it.lastUsedAt} />`,
    },
    {
      key: "expires",
      title: "Expires",
      render: (/** @type {Api["KeyView"]} */ it) => html`<${Ago} at=${it.expiresAt} />`,
    },
    {
      key: "created",
      title: "Created",
      render: (/** @type {Api["KeyView"]} */ it) => html`<${Ago} at=${it.createdAt} />`,
    },
    ...(isAllowed
      ? [
          {
            key: "actions",
            title: "Actions",
            render: (/** @type {Api["KeyView"]} */ it) => (it.state === "valid" ? actions(it) : ""),
          },
        ]
      : []),
  ];
  const unused = [
    { value: "", label: "All" },
    { value: "30", label: "Unused for 30 days" },
    { value: "90", label: "Unused for 90 days" },
  ];
  const fields = [{ name: "caller", label: "caller", options: session.callers ?? [] }];
  return html`
    ${
      made &&
      html`<${ShownOnce} title=${`New key of ${made.caller}: ${made.name}`} secret=${made.key} onDone=${() => setMade(null)}>
      <p>Give it to ${made.caller} in a way that only ${made.caller} can read.</p>
    <//>`
    }
    <div class="filters">
      <${Choice} label="Show" options=${unused} value=${unusedDays} onChange=${(/** @type {string} */ days) => set({ unusedDays: days })} />
      <${Chips} fields=${fields} values=${query} onChange=${set} />
      ${isAllowed && html`<${Button} kind="primary" icon="plus" class="at-end" onClick=${() => setDialog({ kind: "create" })}>New key…<//>`}
    </div>
    <${Rights} scope="admin:write" what="creates, rolls or revokes keys" />
    ${list.error && html`<${Failure} error=${list.error} retry=${list.reload} />`}
    ${!list.rows && !list.error && html`<${Loading} />`}
    ${list.rows?.length === 0 && html`<${Empty} title="No key matches">Show all keys, or remove the filter.<//>`}
    ${
      list.rows &&
      list.rows.length > 0 &&
      html`
      <${Table} caption="API keys" columns=${columns} rows=${list.rows} rowKey=${(/** @type {Api["KeyView"]} */ it) => it.id} />
      <${More} more=${list.more} />`
    }
    ${dialog?.kind === "create" && html`<${NewKey} onClose=${() => setDialog(null)} onMade=${onMade} />`}
    ${dialog?.kind === "roll" && html`<${Roll} old=${dialog.key} onClose=${() => setDialog(null)} onMade=${onMade} />`}
  `;
}

/** @param {{state: Api["KeyView"]}} props */
function KeyState({ state: { state, successorId } }) {
  const level = state === "valid" ? "good" : "none";
  const isRolled = successorId && state === "valid";
  return html`<span><${Status} level=${level}>${state}<//>${isRolled && html` <span class="muted">rolled</span>`}</span>`;
}

/** @type {[string, string][]} */
const OVERLAPS = [
  ["", "as configured (keys.overlap)"],
  ["0", "not at all"],
  ["3600", "1 hour"],
  ["86400", "1 day"],
  ["604800", "7 days"],
];

/** @param {{old: Api["KeyView"], onClose: () => void, onMade: (key: Api["NewKeyView"]) => void}} props */
function Roll({ old, onClose, onMade }) {
  /** @param {FormData} form */
  const roll = async (form) => {
    const spans = chosenSpans(form, ["overlapSeconds", "expiresInSeconds"]);
    onMade(await post(`/v1/admin/keys/${encodeURIComponent(old.id)}/roll`, spans));
  };
  return html`
    <${FormDialog} title=${html`Roll the key <bdi>${old.name}</bdi> of ${old.caller}?`} action="Roll 1 key" onClose=${onClose} onSubmit=${roll}>
      <p>A new key with the same scopes is made, and shown once. The old one stays valid for a while, so that ${old.caller} can change over.</p>
      <label><span>The old key stays valid</span><${SpanSelect} name="overlapSeconds" options=${OVERLAPS} /></label>
      <label><span>The new key expires</span><${SpanSelect} name="expiresInSeconds" options=${LIFETIMES} /></label>
    <//>
  `;
}
