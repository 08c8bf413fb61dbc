/** The look of the page for people. One sheet, no images, no fonts from elsewhere; its hash stands in the page's policy. */
export const STYLE = `
:root{color-scheme:light dark;--text:#1c2227;--soft:#57606a;--line:#d9dde1;--page:#fff;--panel:#f5f6f7;--link:#0a58ca;--mark:#fff4cf;
--get:#116a3b;--post:#0b57c4;--patch:#855000;--delete:#b3261e}
@media(prefers-color-scheme:dark){:root{--text:#e3e7eb;--soft:#9ba6b0;--line:#333a41;--page:#14171a;--panel:#1d2226;--link:#7fb7ff;--mark:#3a3413;
--get:#6fd39b;--post:#8ab8ff;--patch:#f0b35e;--delete:#ff9a92}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem;-webkit-text-size-adjust:100%}
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--text);background:var(--page)}
a{color:var(--link)}
a:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:1rem;z-index:2;padding:.5rem;background:var(--page)}
.bar{display:none}
.page{display:grid;grid-template-columns:19rem minmax(0,50rem);gap:3rem;justify-content:center;padding:0 1.5rem}
nav{position:sticky;top:0;height:100vh;overflow-y:auto;padding:2rem .75rem 2rem 0;border-right:1px solid var(--line);font-size:14px;line-height:1.4}
nav ul{list-style:none;margin:0 0 1rem;padding:0}
nav p{margin:0 0 .35rem;font-weight:600}
nav p a{color:inherit;text-decoration:none}
nav li a{display:flex;gap:.6rem;padding:.22rem 0;color:var(--soft);text-decoration:none}
nav a:hover,h2 a:hover,h3 a:hover,h4 a:hover{color:var(--link);text-decoration:underline}
main{padding:2rem 0 6rem;min-width:0}
h1{font-size:2rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.5rem;line-height:1.3;margin:4rem 0 .75rem;padding-top:1.5rem;border-top:1px solid var(--line)}
h3{font-size:1.15rem;line-height:1.4;margin:3rem 0 .5rem}
h4{font-size:1rem;margin:1.75rem 0 .25rem}
h2 a,h3 a,h4 a{color:inherit;text-decoration:none}
section:target>h2,section:target>h3,section:target>h4,tr:target{background:var(--mark)}
p,ul,ol{margin:.5rem 0}
li{margin:.4rem 0}
nav li{margin:0}
.lead,.who,caption,small,.type{color:var(--soft)}
.who{font-size:.925rem}
code,pre{font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{background:var(--panel);padding:.1em .3em;border-radius:4px;overflow-wrap:anywhere}
h3 code,h4 code,pre code,code.shape{background:none;padding:0}
h3 code,h4 code{font-size:.95em;font-weight:600}
pre{margin:0;padding:.9rem 1rem;background:var(--panel);border:1px solid var(--line);border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere}
figure{margin:1rem 0}
figcaption{margin-bottom:.35rem;font-weight:600;font-size:.925rem}
.method{font:700 11px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--get)}
nav .method{flex:0 0 3.4rem;text-align:right;line-height:1.8}
h3 .method{font-size:.8rem;padding:.15rem .45rem;margin-right:.35rem;border:1px solid;border-radius:5px;vertical-align:.1em}
.post{color:var(--post)}.patch{color:var(--patch)}.delete{color:var(--delete)}
table{border-collapse:collapse;width:100%;margin:1.25rem 0;font-size:.95rem}
caption{text-align:left;font-size:.8rem;font-weight:600;padding-bottom:.3rem}
caption code{font-size:1em}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-top:1px solid var(--line);font-weight:400}
thead th{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tbody th{width:14rem}
.status tbody th,.code tbody th,.frame tbody th{width:6rem}
tr:last-child>*{border-bottom:1px solid var(--line)}
small{font-size:.8rem}
small.required{color:var(--patch)}
tbody th small{display:block}
summary{font-weight:600;cursor:pointer}
details[open]>summary{margin-bottom:1rem}
@media(min-width:60.01rem){@supports selector(::details-content){summary{display:none}details::details-content{content-visibility:visible}}}
@media(max-width:60rem){
html{scroll-padding-top:4rem}
.bar{display:flex;justify-content:space-between;position:sticky;top:0;z-index:1;padding:.65rem 1rem;background:var(--page);border-bottom:1px solid var(--line)}
.bar a{text-decoration:none;font-weight:600}
.page{display:block;padding:0 1rem}
nav{position:static;height:auto;padding:.9rem 0;border-right:0;border-bottom:1px solid var(--line)}
nav li a{padding:.4rem 0}
main{padding-top:1.5rem}
tbody th{width:34%}
.status tbody th,.code tbody th,.frame tbody th{width:4.7rem}
}
@media print{nav,.bar,.skip{display:none}.page{display:block}}
`
