// Filters as chips, with an input that suggests fields and their values.
import { absoluteTime, day, number, utc } from "../lib/format.js";
import { html, useEffect, useId, useRef, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

/**
 * @typedef {object} Field
 * @property {string} name of the parameter
 * @property {string} label one word or two, as the reader types it
 * @property {boolean} [isMany] whether it can have several values
 * @property {string[]} [options] all values it can have
 * @property {(text: string) => Promise<{ value: string, jobs?: number | null }[]>} [suggest] values that begin with the text
 * @property {boolean} [isDate]
 */

/** @typedef {{ field: Field, value?: string, text?: string, note?: string }} Suggestion without a value, the field itself */

/**
 * @param {{ fields: Field[], values: URLSearchParams, onChange: (changes: Record<string, string[]>) => void }} props
 *   `onChange` gets all values of the field that changed, as `useQuery` takes them
 */
export function Chips({ fields, values, onChange }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const chosen = fields.flatMap((field) => values.getAll(field.name).map((value) => ({ field, value })));

  /** @param {Field} field @param {string} value */
  const add = (field, value) => {
    const kept = field.isMany ? values.getAll(field.name).filter((other) => other !== value) : [];
    onChange({ [field.name]: [...kept, value] });
  };
  /** @param {Field} field @param {string} value */
  const remove = (field, value) => {
    onChange({ [field.name]: values.getAll(field.name).filter((other) => other !== value) });
    input.current?.focus();
  };

  return html`<div class="chips">
    ${chosen.map(
      ({ field, value }) =>
        html`<span class="chip" key=${`${field.name}=${value}`}>
          <span class="muted">${field.label}</span> <span class="chip-value" title=${field.isDate ? utcOf(value) : value}>${shown(field, value)}</span>
          <button type="button" aria-label=${`Remove filter ${field.label} ${shown(field, value)}`} onClick=${() => remove(field, value)}>
            <${Icon} name="close" />
          </button>
        </span>`,
    )}
    <${ChipInput} input=${input} fields=${fields} onAdd=${add} onRemoveLast=${() => {
      const last = chosen.at(-1);
      if (last) remove(last.field, last.value);
    }} />
    ${
      chosen.length > 1 &&
      html`<button
        type="button"
        class="button quiet small"
        onClick=${() => {
          onChange(Object.fromEntries(chosen.map(({ field }) => [field.name, []])));
          input.current?.focus();
        }}
      >
        Clear all
      </button>`
    }
  </div>`;
}

/**
 * @param {{ input: { current: HTMLInputElement | null }, fields: Field[], onAdd: (field: Field, value: string) => void,
 *   onRemoveLast: () => void }} props
 */
function ChipInput({ input, fields, onAdd, onRemoveLast }) {
  const [text, setText] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const id = useId();
  const suggestions = useSuggestions(fields, text, isOpen);
  useEffect(() => setActive(-1), [text]);

  /** @param {Suggestion} suggestion */
  function choose({ field, value }) {
    if (value === undefined) {
      setText(`${field.label}: `);
      input.current?.focus();
      return;
    }
    setText("");
    onAdd(field, value);
  }

  function accept() {
    const { field, rest } = split(fields, text);
    const typed = field && rest !== "" && typedValue(field, rest);
    if (suggestions[active]) choose(suggestions[active]);
    else if (field && typed) choose({ field, value: typed });
    else if (suggestions.length > 0 && text !== "") choose(suggestions[0]);
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const count = suggestions.length;
    if (event.key === "Backspace" && text === "") onRemoveLast();
    else if (event.key === "Escape" && (isOpen || text !== "")) {
      setOpen(false);
      setText("");
      event.preventDefault();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      setOpen(true);
      if (count > 0) setActive(active < 0 && step < 0 ? count - 1 : (active + step + count) % count);
      event.preventDefault();
    } else if (event.key === "Enter") {
      accept();
      event.preventDefault();
    }
  }

  const isShown = isOpen && suggestions.length > 0;
  return html`<div class="chip-input">
    <${Icon} name="filter" />
    <input
      ref=${input}
      type="text"
      role="combobox"
      aria-label="Add a filter"
      aria-expanded=${isShown}
      aria-controls=${id}
      aria-autocomplete="list"
      aria-activedescendant=${isShown && active >= 0 ? `${id}-${active}` : undefined}
      autocomplete="off"
      autocapitalize="none"
      spellcheck=${false}
      placeholder="Filter…"
      value=${text}
      onInput=${(/** @type {any} */ event) => {
        setText(event.currentTarget.value);
        setOpen(true);
      }}
      onFocus=${() => setOpen(true)}
      onClick=${() => setOpen(true)}
      onBlur=${() => setOpen(false)}
      onKeyDown=${onKeyDown}
    />
    <div id=${id} role="listbox" aria-label="Suggestions" class="suggestions" hidden=${!isShown}>
      ${suggestions.map(
        (suggestion, index) =>
          html`<div
            key=${`${suggestion.field.name}=${suggestion.value}`}
            id=${`${id}-${index}`}
            role="option"
            aria-selected=${index === active}
            class="suggestion"
            onPointerDown=${(/** @type {Event} */ event) => {
              // The input keeps the focus.
              event.preventDefault();
              choose(suggestion);
            }}
          >
            ${suggestion.value === undefined ? html`<span>${suggestion.field.label}…</span>` : html`<span><span class="muted">${suggestion.field.label}:</span> ${suggestion.text}</span>`}
            ${suggestion.note && html`<span class="muted">${suggestion.note}</span>`}
          </div>`,
      )}
    </div>
  </div>`;
}

/**
 * The field that the text names ("tag: sup"), and what comes after it.
 * @param {Field[]} fields
 * @param {string} text
 */
export function split(fields, text) {
  const colon = text.indexOf(":");
  const named = text.slice(0, Math.max(0, colon)).trim().toLowerCase();
  const field = fields.find(({ label, name }) => label.toLowerCase() === named || name.toLowerCase() === named);
  return { field, rest: (field ? text.slice(colon + 1) : text).trim() };
}

/** @param {Field[]} fields @param {string} text @param {boolean} isOpen @returns {Suggestion[]} */
function useSuggestions(fields, text, isOpen) {
  const [found, setFound] = useState(
    /** @type {{ text: string, suggestions: Suggestion[] }} */ ({ text: "", suggestions: [] }),
  );
  const { field, rest } = split(fields, text);
  useEffect(() => {
    if (!isOpen) return;
    let isCurrent = true;
    const asked = (field ? [field] : rest === "" ? [] : fields).filter(({ suggest }) => suggest);
    // Suggestions only help: without them, values can still be typed.
    Promise.all(asked.map((one) => one.suggest?.(rest).catch(() => []))).then((answers) => {
      if (!isCurrent) return;
      const suggestions = answers.flatMap((values, index) =>
        (values ?? []).slice(0, field ? 10 : 3).map(({ value, jobs }) => ({
          field: asked[index],
          value,
          text: value,
          note: typeof jobs === "number" ? number(jobs) : undefined,
        })),
      );
      setFound({ text, suggestions });
    });
    return () => {
      isCurrent = false;
    };
  }, [text, isOpen]);
  return [...knownSuggestions(fields, text), ...(found.text === text ? found.suggestions : [])];
}

/** What is known without asking: fields, fixed values, and dates. @param {Field[]} fields @param {string} text @returns {Suggestion[]} */
function knownSuggestions(fields, text) {
  const { field, rest } = split(fields, text);
  const begins = (/** @type {string} */ word) => word.toLowerCase().includes(rest.toLowerCase());
  if (field?.isDate) {
    const typed = typedValue(field, rest);
    return typed
      ? [{ field, value: typed, text: shown(field, typed) }]
      : dates().map(({ value, word }) => ({ field, value, text: word, note: shown(field, value) }));
  }
  const options = (/** @type {Field} */ one) =>
    (one.options ?? [])
      .filter((value) => begins(shown(one, value)))
      .map((value) => ({ field: one, value, text: shown(one, value) }));
  if (field) return options(field);
  const named = fields.filter(({ label }) => begins(label)).map((one) => ({ field: one }));
  return rest === "" ? named : [...named, ...fields.flatMap(options)];
}

/** Beginnings of days that are asked for often. */
function dates() {
  const days = (/** @type {number} */ ago) => {
    const date = new Date();
    date.setHours(0, 0, 0, 0);
    date.setDate(date.getDate() - ago);
    return date.toISOString();
  };
  return [
    { word: "today", value: days(0) },
    { word: "yesterday", value: days(1) },
    { word: "7 days ago", value: days(7) },
    { word: "30 days ago", value: days(30) },
  ];
}

/** The value that a typed text means, if it means one. @param {Field} field @param {string} text */
export function typedValue(field, text) {
  if (field.isDate) {
    const date = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00`) : null;
    return date && !Number.isNaN(date.getTime()) ? date.toISOString() : null;
  }
  if (field.options)
    return field.options.find((value) => [value, shown(field, value)].includes(text.toLowerCase())) ?? null;
  return text;
}

/** @param {string} value of a date, which a URL may have from anywhere */
function utcOf(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? value : utc(date);
}

/** @param {Field} field @param {string} value */
function shown(field, value) {
  if (field.isDate) {
    const date = new Date(value);
    if (Number.isNaN(date.getTime())) return value;
    const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
    return isMidnight ? day(date) : absoluteTime(date, new Date());
  }
  return field.options ? value.replaceAll("_", " ") : value;
}
