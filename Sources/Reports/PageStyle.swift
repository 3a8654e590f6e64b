import Checkpoints

/// The style sheet and the script of the page.
enum PageStyle {
    static let css = """

        body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 1100px; margin: 0 auto; padding: 1rem; }
        h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
        h3 { font-size: 1rem; margin-bottom: 0.2rem; } .lead { max-width: 50rem; overflow-wrap: anywhere; }
        figure { margin: 1rem 0; } figcaption { color: var(--faint); font-size: 0.9rem; max-width: 50rem; }
        .scroll { overflow-x: auto; } .scroll svg { display: block; width: 100%; min-width: 560px; max-width: 900px; }
        .scroll svg.heat { width: auto; min-width: 0; max-width: none; height: 24rem; }
        .excerpt { font-family: ui-monospace, monospace; font-size: 0.9rem; overflow-wrap: anywhere;
          white-space: pre-wrap; margin: 0.3rem 0; } .excerpt b { outline: 2px solid var(--s1); border-radius: 2px; }
        table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; margin: 1rem 0; }
        caption { text-align: left; color: var(--faint); } td, th { padding: 0.15rem 0.5rem; text-align: right;
          border-bottom: 1px solid var(--rule); white-space: nowrap; }
        th button { all: unset; cursor: pointer; font-weight: 600; } th button:focus-visible, .scroll:focus-visible {
          outline: 2px solid var(--s0); } th[aria-sort=ascending] button::after { content: " ▲"; }
        th[aria-sort=descending] button::after { content: " ▼"; }
        dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: 0.1rem 1rem; font-size: 0.85rem; }
        dt { color: var(--faint); overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; }
        .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 0 1.5rem; }
        .pair figure { min-width: 0; margin: 0.5rem 0; } .pair .scroll svg { min-width: 430px; max-width: 620px; }
        .legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1.2rem; list-style: none; padding: 0; font-size: 0.85rem; }
        .legend button { all: unset; cursor: pointer; overflow-wrap: anywhere; } .legend button:focus-visible {
          outline: 2px solid var(--s0); } .legend button[aria-pressed=true] { text-decoration: underline; }
        svg.chart.swatch { display: inline; width: 28px; min-width: 0; height: 10px; background: none;
          vertical-align: middle; margin-right: 0.3rem; }
        table.names thead th { white-space: normal; vertical-align: bottom; }
        td.text, table.names th:first-child { text-align: left; } td.long { white-space: normal; min-width: 14rem; text-align: left; }
        .quiet circle, .quiet polygon { opacity: 0; } .quiet .lit circle, .quiet .lit polygon { opacity: 1; }
        svg.chart.quiet .line { stroke-width: 1.2; } svg.chart.quiet .lit .line { stroke-width: 2.6; }
        .picking svg [data-run]:not(.lit) { opacity: 0.12; } tr.lit { background: var(--shade); }
        a { color: var(--s0); }
        .note { border-left: 4px solid var(--s1); padding-left: 0.7rem; max-width: 50rem; overflow-wrap: anywhere; }
        #hint { position: fixed; background: var(--ink); color: var(--ground); padding: 0.2rem 0.5rem; font-size: 0.8rem;
          border-radius: 4px; pointer-events: none; max-width: 20rem; z-index: 1; }
        @media (max-width: 600px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.4rem; } }
        @media print { :root { --ground: #ffffff; --ink: #000000; --faint: #444444; --rule: #cccccc; --shade: #eeeeee;
          --s0: #0b5cad; --s1: #b3500f; --s2: #1a7f5a; --s3: #8a3ea8; --s4: #b0275c; --s5: #7d6608;
          --s6: #0f7c86; --s7: #5d6570; --heat: 190, 40, 30; }
          figure, article, tr { break-inside: avoid; } .scroll { overflow: visible; } .scroll svg { min-width: 0; }
          .scroll svg.heat { height: 18rem; max-width: 100%; } h2, h3 { break-after: avoid; } table { font-size: 0.55rem; }
          td, th { white-space: normal; }
          .excerpt, .cell, .score { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
        """

    /// Sorts tables, and shows values under the pointer without waiting for the browser's own hints.
    static let script = """

        "use strict";
        for (const table of document.querySelectorAll("table.sortable")) {
          const heads = [...table.tHead.rows[0].cells];
          heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
            const isDescending = head.getAttribute("aria-sort") === "ascending";
            heads.forEach(other => other.removeAttribute("aria-sort"));
            head.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
            const value = row => {
              const cell = row.cells[column];
              return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
            };
            const isNumber = row => typeof value(row) === "number";
            const rows = [...table.tBodies[0].rows];
            rows.sort((a, b) => {
              if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
              const order = isNumber(a) ? value(a) - value(b) : value(a).localeCompare(value(b));
              return isDescending ? -order : order;
            });
            table.tBodies[0].append(...rows);
          }));
        }
        const hint = document.getElementById("hint");
        const show = (text, event) => {
          hint.hidden = !text;
          if (!text) return;
          hint.textContent = text;
          const width = hint.offsetWidth;
          hint.style.left = Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 4)) + "px";
          hint.style.top = Math.max(4, event.clientY - 34) + "px";
        };
        for (const chart of document.querySelectorAll("svg.chart")) {
          const ratios = chart.dataset.ratios?.split(";").map(row => row.split(" "));
          const layers = chart.dataset.layers?.split(" ");
          chart.addEventListener("mousemove", event => {
            if (ratios) {
              const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
              const [column, row] = [Math.floor((point.x - 40) / 18), Math.floor((point.y - 96) / 9)];
              const ratio = ratios[row]?.[column];
              show(ratio ? `layer ${layers[row]}: ${ratio} times the median` : "", event);
              return;
            }
            show(event.target.closest("circle, polygon, rect, g, path.shade")?.querySelector("title")?.textContent, event);
          });
          chart.addEventListener("mouseleave", () => { hint.hidden = true; });
        }
        let picked, pinned;
        const pick = run => {
          if (run === picked) return;
          picked = run;
          document.body.classList.toggle("picking", run !== undefined);
          for (const part of document.querySelectorAll("[data-run]")) part.classList.toggle("lit", part.dataset.run === run);
        };
        const runOf = event => event.target.closest("[data-run]")?.dataset.run ?? pinned;
        for (const type of ["mouseover", "focusin"]) document.addEventListener(type, event => pick(runOf(event)));
        document.addEventListener("click", event => {
          const button = event.target.closest("button[data-run]");
          if (!button) return;
          pinned = pinned === button.dataset.run ? undefined : button.dataset.run;
          for (const other of document.querySelectorAll("button[data-run]"))
            other.setAttribute("aria-pressed", other.dataset.run === pinned);
          pick(pinned ?? runOf(event));
        });

        """

    /// SHA-256 of the script in base 64: the only script that the page lets run.
    static let scriptDigest = base64(SHA256.digest(of: Array(script.utf8)))

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for begin in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[begin..<min(begin + 3, bytes.count)]
            let bits = (0..<3).reduce(0) { $0 << 8 | (begin + $1 < bytes.count ? Int(bytes[begin + $1]) : 0) }
            for place in 0..<4 {
                text.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : "=")
            }
        }
        return text
    }
}
