// Making elements in one line. Text is always set as text, never read as HTML.

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

type Child = Node | string | null | undefined | false;

/** An element; true sets an attribute without a value, false and undefined leave it out. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  setAttributes(made, attributes);
  const there = (child: Child) => child !== null && child !== undefined && child !== false;
  made.append(...children.filter(there));
  return made;
}

export function setAttributes(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) target.removeAttribute(name);
    else target.setAttribute(name, value === true ? "" : String(value));
  }
}

/** A time in three digits: "12.3 µs", "4.56 ms", "1.20 s". The same words as Python's. */
export function duration(seconds: number): string {
  if (seconds < 0.9995e-3) return `${digits(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${digits(seconds * 1e3)} ms`;
  return `${digits(seconds)} s`;
}

function digits(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

const signs = { tick: "✓", cross: "✗", pending: "…", none: "" } as const;
const words = {
  tick: "checked, agrees",
  cross: "checked, differs",
  pending: "being checked",
  none: "not checked",
} as const;

/** The sign of a check: a shape, not only a colour, with its meaning in words. */
export function checkSign(check: { readonly state: keyof typeof signs; readonly words: string }) {
  const title = check.words === "" ? words[check.state] : check.words;
  return element(
    "span",
    { class: "wb-check", "data-state": check.state, title },
    element("span", { "aria-hidden": "true" }, signs[check.state]),
    element("span", { class: "wb-unseen" }, words[check.state]),
  );
}

/** A two-state button; `press` gets the new state. */
export function toggle(
  label: string,
  title: string,
  pressed: boolean,
  press: (pressed: boolean) => void,
): HTMLButtonElement {
  const button = element("button", { type: "button", class: "wb-button", title }, label);
  button.setAttribute("aria-pressed", String(pressed));
  button.addEventListener("click", () => {
    const next = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(next));
    press(next);
  });
  return button;
}
