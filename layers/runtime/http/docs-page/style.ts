/** Its hash is in the page's content security policy: changing it here is enough. */
export const style = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --line: #dfe4ea; --paper: #fff; --tint: #f5f7f9; --link: #0b5cad; --get: #0b6e4f; --post: #8a4b00; --delete: #a3182b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b5; --line: #2d3642; --paper: #14181e; --tint: #1c222b; --link: #74b3f2; --get: #4cc497; --post: #e3a24f; --delete: #f0808f; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible, :target { outline: 2px solid var(--link); outline-offset: 3px; border-radius: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem; z-index: 1; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1.25rem; border-right: 1px solid var(--line); background: var(--tint); font-size: .875rem; }
nav .name { margin: 0 0 1rem; font-size: 1.125rem; font-weight: 700; }
nav .name a { color: inherit; }
nav h2 { margin: 1.25rem 0 .375rem; font-size: .75rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); }
nav ul { margin: 0; padding: 0; list-style: none; }
nav li a { display: flex; gap: .5rem; align-items: baseline; padding: .1875rem 0; color: inherit; }
nav .verb { width: 3.25rem; flex: none; }
main { padding: 2rem clamp(1rem, 4vw, 3rem) 6rem; max-width: 66rem; }
h1 { margin: 0 0 1rem; font-size: 2rem; line-height: 1.2; }
main > h2 { margin: 3.5rem 0 .5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); font-size: 1.5rem; text-transform: capitalize; }
h3 { margin: 0 0 .25rem; font-size: 1.1875rem; }
h3 a { color: inherit; }
h4 { margin: 1.25rem 0 .375rem; font-size: .8125rem; letter-spacing: .04em; text-transform: uppercase; color: var(--soft); }
p { margin: .5rem 0; }
article { margin: 1.5rem 0 2.5rem; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .875em; }
code { overflow-wrap: anywhere; }
p code, td code { background: var(--tint); padding: .0625rem .25rem; border-radius: 3px; }
pre { overflow-x: auto; padding: .875rem 1rem; background: var(--tint); border: 1px solid var(--line); border-radius: 6px; }
pre code { overflow-wrap: normal; }
.path { display: flex; flex-wrap: wrap; gap: .625rem; align-items: center; }
.path code { font-size: 1em; }
.verb { font: 700 .75rem/1.4 ui-monospace, monospace; color: var(--soft); }
.verb.get { color: var(--get); } .verb.post { color: var(--post); } .verb.delete { color: var(--delete); }
.role, .required, .optional { font-size: .75rem; color: var(--soft); border: 1px solid var(--line); border-radius: 999px; padding: 0 .5rem; white-space: nowrap; }
.required { color: var(--delete); }
.limit { display: inline-block; margin-right: .75rem; font-size: .8125rem; color: var(--soft); }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .375rem .75rem .375rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td p { margin: 0; }
th:first-child { width: 18rem; } th:nth-child(2) { width: 11rem; }
.parameters th:nth-child(2) { width: 5rem; } .parameters th:nth-child(3) { width: 6rem; }
.problems th:first-child { width: 15rem; } .problems th:nth-child(2) { width: 4.5rem; } .problems th:nth-child(3) { width: 22rem; }
.answers th:first-child { width: 5rem; } .answers th:nth-child(2) { width: auto; } .answers th:last-child { width: 10rem; }
tr.success td:first-child code { color: var(--get); } tr.failure td:first-child code { color: var(--delete); }
a.code { font-family: ui-monospace, monospace; font-size: .8125rem; margin-right: .5rem; white-space: nowrap; }
@media (max-width: 52rem) { body { display: block; } nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); } th:first-child, th:nth-child(2) { width: auto; } main { padding-top: 1.25rem; } }
@media print { nav { display: none; } body { display: block; } }
`;
