// How the panel looks. Colours come from the notebook's variables; in a page without them the
// second value of light-dark() and var() stands in. No meaning is carried by colour alone.

export const style = `
.wb-panel {
  color-scheme: light dark;
  --wb-background: var(--jp-layout-color1, light-dark(#ffffff, #16181d));
  --wb-raised: var(--jp-layout-color2, light-dark(#f3f4f6, #22252c));
  --wb-code-background: var(--jp-cell-editor-background, light-dark(#f8f9fa, #1b1e24));
  --wb-line: var(--jp-border-color2, light-dark(#dfe2e6, #343841));
  --wb-text: var(--jp-content-font-color1, light-dark(#1c1e21, #e4e6ea));
  --wb-soft: var(--jp-content-font-color2, light-dark(#55595f, #a5abb5));
  --wb-faint: var(--jp-content-font-color3, light-dark(#767b82, #7c828d));
  --wb-brand: var(--jp-brand-color1, light-dark(#1565c0, #64b5f6));
  --wb-good: var(--jp-success-color1, light-dark(#2e7d32, #81c784));
  --wb-bad: var(--jp-error-color1, light-dark(#c62828, #ef8a80));
  --wb-warn: var(--jp-warn-color1, light-dark(#b35c00, #ffb74d));
  --wb-keyword: var(--jp-mirror-editor-keyword-color, light-dark(#00796b, #80cbc4));
  --wb-number: var(--jp-mirror-editor-number-color, light-dark(#7b4f00, #e0b870));
  --wb-string: var(--jp-mirror-editor-string-color, light-dark(#b3261e, #f0a39a));
  --wb-comment: var(--jp-mirror-editor-comment-color, light-dark(#546e71, #8fa3a6));
  --wb-function: var(--jp-mirror-editor-def-color, light-dark(#1a4fa0, #9ec1ff));
  --wb-type: var(--jp-mirror-editor-builtin-color, light-dark(#6a3d9a, #cbaaf0));
  --wb-meta: var(--jp-mirror-editor-meta-color, light-dark(#8a5a00, #d9c077));
  --wb-lit: color-mix(in srgb, var(--wb-brand) 22%, transparent);
  --wb-found: color-mix(in srgb, var(--wb-warn) 25%, transparent);
  --wb-found-line: color-mix(in srgb, var(--wb-warn) 60%, transparent);
  --wb-font: var(--jp-ui-font-family, system-ui, sans-serif);
  --wb-code-font: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace);
  --wb-code-size: calc(var(--jp-code-font-size, 13px) * 0.95);
  container-type: inline-size;
  margin: 4px 0;
  border: 1px solid var(--wb-line);
  border-radius: 4px;
  overflow: hidden;
  background: var(--wb-background);
  color: var(--wb-text);
  font: 12px/1.5 var(--wb-font);
}
[data-jp-theme-light="true"] .wb-panel { color-scheme: light; }
[data-jp-theme-light="false"] .wb-panel { color-scheme: dark; }
.wb-waiting { min-block-size: 480px; }
.wb-panel *, .wb-panel *::before { box-sizing: border-box; }
.wb-panel [hidden] { display: none !important; }
.wb-panel :focus-visible { outline: 2px solid var(--wb-brand); outline-offset: -2px; }
.wb-panel .wb-unseen {
  position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap;
}
.wb-title { padding: 5px 12px; font-weight: 600; border-bottom: 1px solid var(--wb-line); }
.wb-stale {
  position: sticky; inset-block-start: 0; z-index: 5; margin: 0; padding: 2px 12px;
  border-bottom: 1px solid var(--wb-warn); background: var(--wb-raised);
}
.wb-panel[data-stale] :is(.wb-pane:not(.wb-placed) > .wb-code, .wb-facts, .wb-outputs, .wb-side,
  [class*="wb-picture-"] > :not(.wb-lines)) { filter: grayscale(1); opacity: 0.8; }
.wb-view { position: relative; }
.wb-view + .wb-view { border-top: 1px solid var(--wb-line); }
.wb-more:not(:empty) { border-top: 1px solid var(--wb-line); }
.wb-heading { margin: 0; padding: 5px 12px 0; font: inherit; font-weight: 600; }
.wb-steps { display: flex; flex-wrap: wrap; gap: 2px 6px; margin: 0; padding: 4px 12px 6px; }
.wb-steps > li { list-style-position: inside; }
.wb-steps .wb-button { color: inherit; }
.wb-traffic { padding: 2px 12px 6px; overflow-x: auto; }
.wb-traffic table { border-collapse: collapse; }
.wb-traffic caption { text-align: start; font-weight: 600; }
.wb-traffic th, .wb-traffic td { padding: 1px 10px 1px 0; text-align: end; font-weight: normal; }
.wb-traffic th[scope="row"], .wb-traffic th:first-child { text-align: start; }
.wb-traffic th[scope="row"] { font-family: var(--wb-code-font); font-size: var(--wb-code-size); }
.wb-traffic th[scope="col"] { color: var(--wb-soft); }
.wb-traffic td { font-variant-numeric: tabular-nums; }
.wb-bar-cell { inline-size: 120px; min-inline-size: 60px; }
.wb-bar { display: block; block-size: 8px; background: var(--wb-brand); }
.wb-meter {
  display: inline-block; inline-size: 80px; margin-inline-start: 8px;
  border: 1px solid var(--wb-line);
}
.wb-nest { padding: 2px 12px 6px; overflow-x: auto; }
.wb-nest table { border-collapse: collapse; }
.wb-nest th {
  padding: 0 12px 2px 0; text-align: start; font-weight: normal; color: var(--wb-soft);
}
.wb-nest td { padding: 0 12px 0 0; white-space: pre; }
.wb-nest code { font-family: var(--wb-code-font); font-size: var(--wb-code-size); }
.wb-lit-row > td:last-child { background: var(--wb-lit); box-shadow: inset 2px 0 var(--wb-brand); }
.wb-tools { display: flex; gap: 4px 6px; align-items: center; padding: 2px 12px; flex-wrap: wrap; }
.wb-lanes { margin: 4px 12px; padding: 2px; }
.wb-lane, .wb-time-axis { display: grid; grid-template-columns: 76px 1fr; min-block-size: 22px; }
.wb-lane-bars { position: relative; overflow: hidden; border-block-end: 1px solid var(--wb-line); }
.wb-time-bar {
  position: absolute; inset-block: 1px; padding: 0 3px; overflow: hidden; border: 0;
  border-inline-start: 1px solid var(--kind); white-space: nowrap; text-align: start; font: inherit;
  background: color-mix(in srgb, var(--kind) 45%, transparent); color: var(--wb-text);
}
.wb-time-bar[aria-pressed="true"] { outline: 2px solid var(--wb-text); outline-offset: -2px; }
.wb-time-axis > div { position: relative; grid-column: 2; overflow: hidden; white-space: nowrap; }
.wb-tick { position: absolute; padding-inline-start: 2px; border-inline-start: 1px solid; }
.wb-number { text-align: end; font-variant-numeric: tabular-nums; }
.wb-nest .wb-share {
  padding-inline: 6px; text-align: end; font-variant-numeric: tabular-nums;
  background: color-mix(in srgb, var(--wb-warn) calc(var(--share) * 45%), transparent);
}
.wb-badge {
  margin-inline-start: 8px; padding: 0 5px; border: 1px solid var(--wb-line);
  border-radius: 3px; color: var(--wb-soft);
}
.wb-badge[data-place="workgroup"] { border-style: double; border-width: 3px; }
.wb-badge[data-place="invocation"], .wb-badge[data-place="worker"] {
  border-color: var(--wb-brand);
}
.wb-loop {
  appearance: none; margin: 0; padding: 0; border: 0; background: none; color: inherit;
  font: inherit; text-align: start; cursor: pointer;
}
.wb-loop code { text-decoration: underline dotted var(--wb-faint); text-underline-offset: 3px; }
.wb-loop:hover, .wb-loop[aria-expanded="true"] { background: var(--wb-lit); }
.wb-next { padding: 4px 12px 6px; border-top: 1px solid var(--wb-line); }
.wb-next ul { display: flex; flex-wrap: wrap; gap: 2px 6px; margin: 0; padding: 0; }
.wb-next li { list-style: none; }
.wb-next .wb-button { color: inherit; }
.wb-button:disabled { opacity: 0.5; cursor: default; }
.wb-preview { display: flex; flex-direction: column; gap: 4px; min-inline-size: 0; }
.wb-preview .wb-traffic { padding-inline: 0; }
.wb-lines { border-top: 1px solid var(--wb-line); }
.wb-replay { display: flex; align-items: flex-start; gap: 8px; padding: 3px 6px 3px 12px; }
.wb-panel .wb-replay pre {
  flex: 1; margin: 0; min-inline-size: 0; overflow-x: auto; background: none; color: inherit;
  font: var(--wb-code-size)/1.45 var(--wb-code-font);
}
.wb-knobs { display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 4px 12px; }
.wb-knob { display: flex; align-items: center; gap: 8px; }
.wb-knob input[type="range"] { inline-size: 180px; accent-color: var(--wb-brand); }
.wb-knob input[type="number"] {
  inline-size: 5em; border: 1px solid var(--wb-line); border-radius: 3px;
  background: var(--wb-background); color: inherit; font: inherit;
}
.wb-boards { display: flex; flex-wrap: wrap; gap: 8px 20px; padding: 4px 12px; }
.wb-board { margin: 0; }
.wb-board canvas { display: block; border: 1px solid var(--wb-line); color: var(--wb-text); }
.wb-board figcaption { color: var(--wb-soft); }
.wb-moment { margin: 0; padding: 0 12px; min-block-size: 1.5em; }
.wb-controls { display: flex; align-items: center; gap: 6px; padding: 2px 12px; }
.wb-controls input[type="number"] { inline-size: 5em; }
.wb-track { position: relative; flex: 1; }
.wb-panel .wb-track input { display: block; inline-size: 100%; max-inline-size: none; margin: 0; }
.wb-marks { position: absolute; inset: auto 8px 0; block-size: 3px; pointer-events: none; }
.wb-marks span {
  position: absolute; inline-size: 1px; block-size: 3px; background: var(--wb-warn);
}
.wb-stepping { display: flex; flex-wrap: wrap; gap: 12px; padding: 4px 12px; }
.wb-panel .wb-listing {
  flex: 3 1 360px; margin: 0; padding: 6px 0; overflow: auto; max-block-size: 420px;
  font: var(--wb-code-size)/1.5 var(--wb-code-font); background: var(--wb-code-background);
}
.wb-code-line { display: block; padding: 0 8px; border-inline-start: 3px solid transparent; }
.wb-code-line[aria-current] { background: var(--wb-lit); border-color: var(--wb-brand); }
.wb-values { flex: 1 1 180px; overflow: auto; max-block-size: 420px; }
.wb-values table { border-collapse: collapse; }
.wb-values th, .wb-values td { padding: 0 12px 0 0; text-align: start; font-weight: normal; }
.wb-values th[scope="col"] { color: var(--wb-soft); }
.wb-values code { font-family: var(--wb-code-font); font-size: var(--wb-code-size); }
.wb-fresh { background: var(--wb-lit); }
.wb-ids { display: inline-flex; align-items: center; gap: 4px; }
.wb-soft { color: var(--wb-soft); }
.wb-button, .wb-choice, .wb-tab {
  appearance: none; margin: 0; border: 0; border-radius: 3px; background: none;
  color: inherit; font: inherit; cursor: pointer;
}
.wb-button { padding: 1px 7px; color: var(--wb-soft); white-space: nowrap; }
.wb-button:hover, .wb-choice:hover {
  background-color: color-mix(in srgb, var(--wb-text) 8%, transparent);
}
.wb-button[aria-pressed="true"] { background: var(--wb-lit); color: var(--wb-text); }

.wb-foot {
  display: flex; align-items: center; gap: 12px; margin: 0; padding: 3px 6px 3px 12px;
  border-top: 1px solid var(--wb-line); color: var(--wb-soft);
}
.wb-toolbar { display: flex; gap: 4px; flex: none; }
.wb-stages { display: flex; align-items: stretch; min-inline-size: 0; }
.wb-side {
  flex: none; display: flex; flex-direction: column; inline-size: 208px;
  border-inline-end: 1px solid var(--wb-line); padding: 4px 0;
}
.wb-rail { display: flex; flex-direction: column; }
.wb-tab {
  position: relative; display: grid; grid-template-columns: 1fr auto 16px 52px;
  align-items: center; gap: 4px; padding: 3px 10px 4px 9px; border-radius: 0;
  border-inline-start: 3px solid transparent; text-align: start;
}
.wb-tab:hover { background: color-mix(in srgb, var(--wb-text) 5%, transparent); }
.wb-tab[data-shown="yes"] { background: var(--wb-raised); }
.wb-tab[aria-selected="true"] { border-inline-start-color: var(--wb-brand); }
.wb-tab[aria-selected="true"] .wb-rail-name { font-weight: 600; }
.wb-tab[data-changed="no"] { color: var(--wb-soft); font-style: italic; }
.wb-side:not(.wb-all) .wb-tab[data-changed="no"]:not([data-shown="yes"]) { display: none; }
.wb-tab[data-step="yes"] .wb-rail-name { padding-inline-start: 10px; color: var(--wb-soft); }
.wb-rail-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.wb-rail-time { color: var(--wb-soft); text-align: end; font-variant-numeric: tabular-nums; }
.wb-rail-lit {
  min-inline-size: 17px; padding: 0 4px; border-radius: 8px; text-align: center;
  font-size: 10px; line-height: 15px; font-variant-numeric: tabular-nums;
}
.wb-rail-lit:not(:empty) { background: var(--wb-lit); }
.wb-rail-lit[data-weak="yes"]:not(:empty) {
  background: none; outline: 1px dashed var(--wb-brand); outline-offset: -1px;
}
.wb-rail-bar {
  position: absolute; inset-block-end: 0; inset-inline-end: 10px; block-size: 2px;
  background: var(--wb-brand); opacity: 0.55;
}
.wb-more { margin: auto 6px 0; text-align: start; }
.wb-check { font-weight: 700; }
.wb-check[data-state="tick"] { color: var(--wb-good); }
.wb-check[data-state="cross"] { color: var(--wb-bad); }
.wb-check[data-state="pending"] { color: var(--wb-soft); }

.wb-panes {
  --wb-pane-height: calc(var(--wb-lines, 20) * 1.45 * var(--wb-code-size) + 42px);
  flex: 1; display: flex; min-inline-size: 0; block-size: var(--wb-pane-height);
  min-block-size: 160px; resize: vertical; overflow: hidden;
}
.wb-pane { flex: 1 1 0; display: flex; flex-direction: column; min-inline-size: 0; }
.wb-pane + .wb-pane { flex-grow: 1.2; border-inline-start: 1px solid var(--wb-line); }
.wb-pane-head {
  flex: none; display: flex; align-items: center; gap: 4px; block-size: 28px; padding: 0 6px;
  border-bottom: 1px solid var(--wb-line);
}
.wb-choice {
  flex: 0 1 auto; field-sizing: content; min-inline-size: 4em; max-inline-size: 15em;
  padding: 1px 18px 1px 4px; font-weight: 600; text-overflow: ellipsis;
  background: linear-gradient(45deg, transparent 50%, currentColor 50%) right 9px center / 4px 4px,
    linear-gradient(-45deg, transparent 50%, currentColor 50%) right 5px center / 4px 4px;
  background-repeat: no-repeat;
}
.wb-choice option { background: var(--wb-background); color: var(--wb-text); }
.wb-note {
  flex: 1 1 0; min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  color: var(--wb-soft);
}
.wb-code { flex: 1; min-block-size: 0; }
.wb-code .cm-editor { block-size: 100%; }
.wb-editor { flex: 1; min-block-size: 0; display: flex; flex-direction: column; }
.wb-editor .wb-code { overflow: auto; }
.wb-editor .wb-line { white-space: normal; }
.wb-diff { flex: 1; min-inline-size: 0; overflow: auto; }
.wb-panes[data-show="diff"] { flex-wrap: wrap; align-content: flex-start; }
.wb-panes[data-show="diff"] > .wb-pane { flex: 1 1 40%; block-size: 28px; }
.wb-panes[data-show="diff"] > .wb-pane .wb-code,
.wb-panes[data-show="diff"] > .wb-pane .wb-button { display: none; }
.wb-panes[data-show="diff"] > .wb-diff { flex: 1 1 100%; block-size: calc(100% - 28px); }
.wb-diff .cm-mergeView, .wb-diff .cm-editor { min-block-size: 100%; }
.wb-diff .cm-mergeViewEditors { min-block-size: 100%; }
.wb-panes:not([data-show="diff"]) > .wb-diff,
.wb-panes[data-show="one"][data-active="0"] > .wb-pane:nth-of-type(2),
.wb-panes[data-show="one"][data-active="1"] > .wb-pane:nth-of-type(1) { display: none; }
.wb-panes[data-show="two"][data-active="0"] > .wb-pane:nth-of-type(1) .wb-choice,
.wb-panes[data-show="two"][data-active="1"] > .wb-pane:nth-of-type(2) .wb-choice {
  box-shadow: inset 0 -2px var(--wb-brand);
}
.wb-lit { background: var(--wb-lit); border-radius: 2px; }
.wb-lit-weak {
  background: color-mix(in srgb, var(--wb-brand) 9%, transparent);
  border-bottom: 1.5px dotted var(--wb-brand);
}
.wb-pinned { box-shadow: inset 0 -1.5px var(--wb-brand); }
.wb-line {
  flex: 1; min-inline-size: 0;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.wb-line code { font-family: var(--wb-code-font); background: none; color: var(--wb-text); }
.wb-panel .cm-changedText {
  background: color-mix(in srgb, var(--wb-brand) 15%, transparent) !important;
}
.wb-panel .cm-deletedText, .wb-panel .cm-deletedChunk .cm-deletedText {
  background: color-mix(in srgb, var(--wb-warn) 17%, transparent) !important;
}
.wb-panel .cm-changedLine {
  background: color-mix(in srgb, var(--wb-brand) 7%, transparent) !important;
}
.wb-panel .cm-deletedChunk, .wb-panel .cm-merge-a .cm-changedLine {
  background: color-mix(in srgb, var(--wb-warn) 9%, transparent) !important;
}
.wb-panel .cm-collapsedLines {
  background: var(--wb-raised) !important; color: var(--wb-soft); font: 11px var(--wb-font);
}

.wb-panel .wb-facts {
  display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px;
  margin: 0; padding: 8px 12px;
}
.wb-panel .wb-facts dt {
  float: none; inline-size: auto; margin: 0; color: var(--wb-soft); font-weight: 400;
}
.wb-panel .wb-facts dd { margin: 0; min-inline-size: 0; }
.wb-caution {
  margin-inline-start: 8px; padding: 0 6px; border: 1px solid var(--wb-warn); border-radius: 3px;
}
.wb-times { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 2px 14px; }
.wb-times b { font-weight: 600; font-variant-numeric: tabular-nums; }
.wb-part::before {
  content: ""; display: inline-block; inline-size: 8px; block-size: 8px; margin-inline-end: 5px;
}
.wb-shares { display: inline-flex; inline-size: 160px; block-size: 8px; gap: 1px; }
.wb-shares > span { min-inline-size: 1px; }
[data-part="compile"]::before, .wb-shares > [data-part="compile"] { background: var(--wb-faint); }
[data-part="transfer"]::before, .wb-shares > [data-part="transfer"] {
  background: repeating-linear-gradient(135deg, var(--wb-warn) 0 2px, transparent 2px 4px);
}
[data-part="run"]::before, .wb-shares > [data-part="run"] { background: var(--wb-brand); }
.wb-agreements {
  display: flex; flex-wrap: wrap; gap: 0 18px; margin: 0; padding: 0; list-style: none;
}
.wb-outputs { display: flex; flex-wrap: wrap; gap: 8px 28px; padding: 2px 12px 10px; }
.wb-output { margin: 0; min-inline-size: 0; max-inline-size: 100%; }
.wb-output figcaption { display: flex; flex-wrap: wrap; gap: 0 12px; margin-bottom: 4px; }
.wb-output code { font-family: var(--wb-code-font); background: none; color: inherit; }
.wb-result { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 12px; }
.wb-picture {
  display: block; inline-size: auto; min-inline-size: 128px; max-inline-size: min(320px, 100%);
  image-rendering: pixelated; border: 1px solid var(--wb-line);
}
.wb-values {
  display: block; max-inline-size: 100%; overflow-x: auto;
  border-collapse: collapse; font: 12px/1.5 var(--wb-code-font);
}
.wb-view-values { padding: 8px 12px 10px; }
.wb-view-values p { margin: 0 0 4px; }
.wb-view-values code { font-family: var(--wb-code-font); background: none; color: inherit; }
.wb-histogram { inline-size: 240px; block-size: 48px; fill: var(--wb-brand); }
.wb-bars { display: flex; align-items: end; gap: 8px; }
.wb-live-body { display: flex; flex-wrap: wrap; gap: 12px; padding: 8px 12px; }
.wb-live {
  inline-size: min(480px, 100%); image-rendering: pixelated; touch-action: none;
  border: 1px solid var(--wb-line);
}
.wb-live-value { font: 600 28px/1.4 var(--wb-code-font); font-variant-numeric: tabular-nums; }
.wb-slider {
  display: grid; grid-template-columns: 7em 12em 6em; align-items: center; gap: 8px;
  font-variant-numeric: tabular-nums;
}
.wb-slider code { font-family: var(--wb-code-font); background: none; color: inherit; }
.wb-slider input { inline-size: 100%; accent-color: var(--wb-brand); }
.wb-controls { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; margin: 4px 0; }
.wb-controls input {
  inline-size: 6em; padding: 1px 4px; border: 1px solid var(--wb-line); border-radius: 3px;
  background: var(--wb-background); color: inherit; font: inherit;
}
.wb-heatmap {
  inline-size: 240px; max-inline-size: 100%; image-rendering: pixelated; cursor: crosshair;
  border: 1px solid var(--wb-line);
}
.wb-grid { overflow-x: auto; padding: 1px; }
.wb-window td { min-inline-size: 7em; }
.wb-window th { padding: 1px 8px; color: var(--wb-soft); font-weight: 400; text-align: end; }
.wb-window td[aria-selected="true"] {
  background: var(--wb-lit); outline: 1px solid var(--wb-brand);
}
.wb-cell { font: 12px/1.5 var(--wb-code-font); }
.wb-values td {
  padding: 1px 8px; border: 0; text-align: end; font-variant-numeric: tabular-nums; color: inherit;
}

.wb-failure, .wb-hint { display: flex; gap: 12px; padding: 7px 12px; }
.wb-failure { border-inline-start: 3px solid var(--wb-bad); }
.wb-hint { border-top: 1px solid var(--wb-line); }
.wb-failure .wb-kind { color: var(--wb-bad); font-weight: 600; }
.wb-hint .wb-kind { color: var(--wb-soft); font-weight: 600; }
.wb-message {
  margin: 0; white-space: pre-wrap; font: var(--wb-code-size)/1.45 var(--wb-code-font);
}
.wb-placed { border-top: 1px solid var(--wb-line); max-block-size: 300px; }
.wb-wrong { text-decoration: underline wavy var(--wb-bad); text-underline-offset: 3px; }
.wb-words { padding: 0 12px 0 6px; color: var(--wb-bad); font-family: var(--wb-code-font); }

@container (max-width: 620px) {
  .wb-stages { flex-direction: column; }
  .wb-panes { flex: none; inline-size: 100%; }
  .wb-side {
    inline-size: 100%; flex-direction: row; align-items: center; overflow-x: auto;
    border-inline-end: 0; border-bottom: 1px solid var(--wb-line); padding: 0;
  }
  .wb-rail { flex-direction: row; }
  .wb-tab {
    flex: none; grid-template-columns: auto auto auto; padding: 4px 10px;
    border-inline-start: 0;
    border-bottom: 3px solid transparent;
  }
  .wb-tab[aria-selected="true"] { border-bottom-color: var(--wb-brand); }
  .wb-rail-time, .wb-rail-bar, .wb-rail-lit:empty { display: none; }
  .wb-tab[data-step="yes"] .wb-rail-name { padding-inline-start: 10px; color: var(--wb-soft); }
.wb-rail-name { overflow: visible; }
  .wb-more { margin: 0 6px 0 auto; }
}
@media (prefers-reduced-motion: reduce) {
  .wb-panel * { scroll-behavior: auto !important; }
  .wb-panel * { transition: none !important; animation: none !important; }
}
`;
