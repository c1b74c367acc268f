"""A distilabel pipeline of one generation step: BASE_URL CALLS CONCURRENCY OUT."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main(base_url: str, calls: int, concurrency: int, out: Path) -> None:
    data = [{"instruction": f"Write three tasks as a JSON list. ID:{n}"} for n in range(1, calls + 1)]
    with Pipeline(name="bench") as pipeline:
        load = LoadDataFromDicts(data=data, batch_size=concurrency)
        llm = OpenAILLM(model="teacher", base_url=base_url, api_key="none")
        load >> TextGeneration(llm=llm, input_batch_size=concurrency)
    rows = pipeline.run(use_cache=False)["default"]["train"]
    with out.open("w", encoding="utf-8") as file:
        for row in rows:
            with suppress(ValueError, TypeError):
                for item in json.loads(row["generation"]):
                    file.write(json.dumps(item) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
