"use strict";
(() => {
  const form = document.getElementById("test");
  if (!form) return;
  const secret = JSON.parse(atob(form.dataset.secret));
  const key = "musicgen-votes-" + secret.comparison;
  const told = document.getElementById("told");
  const answers = document.getElementById("answers");
  const seen = key + "-seen";

  const remember = (name, text) => {
    try { localStorage.setItem(name, text); } catch { /* the page works without a memory */ }
  };
  const remembered = (name) => {
    try { return localStorage.getItem(name); } catch { return null; }
  };

  const votes = () => secret.pieces.map((piece, place) => {
    const real = form.elements["real-" + (place + 1)].value;
    const liking = form.elements["liking-" + (place + 1)].value;
    return { piece, real: real ? real === "true" : null, liking: liking ? Number(liking) : null };
  }).filter((vote) => vote.real !== null || vote.liking !== null);

  const tell = () => {
    told.textContent = votes().length + " of " + secret.pieces.length + " pieces voted on.";
  };

  const keep = () => {
    remember(key, JSON.stringify(votes()));
    tell();
  };

  const close = (closed) => {
    for (const field of form.querySelectorAll("fieldset")) field.disabled = closed;
    document.getElementById("reveal").disabled = closed;
    answers.hidden = !closed;
    remember(seen, closed ? "yes" : "");
  };

  const recall = () => {
    let kept = [];
    try { kept = JSON.parse(remembered(key)) || []; } catch { /* somebody else's memory */ }
    for (const vote of kept) {
      const place = secret.pieces.indexOf(vote.piece) + 1;
      if (!place) continue;
      if (vote.real !== null) form.elements["real-" + place].value = String(vote.real);
      if (vote.liking !== null) form.elements["liking-" + place].value = String(vote.liking);
    }
    tell();
  };

  const reveal = () => {
    answers.replaceChildren(...secret.pieces.map((piece) => {
      const line = document.createElement("li");
      line.textContent = piece;
      return line;
    }));
    close(true);
  };

  form.addEventListener("change", keep);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("export").addEventListener("click", () => {
    const content = { format: "musicgen-votes", version: 1, comparison: secret.comparison, votes: votes() };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1) + "\n"], { type: "application/json" }));
    link.download = "votes.json";
    link.click();
    URL.revokeObjectURL(link.href);
    told.textContent = content.votes.length + " votes exported as votes.json.";
  });
  document.getElementById("reveal").addEventListener("click", reveal);
  document.getElementById("forget").addEventListener("click", () => {
    form.reset();
    close(false);
    keep();
  });
  recall();
  if (remembered(seen)) reveal();
})();
