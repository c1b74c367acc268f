"""Requests that a model of text cannot serve: pictures, sound, files, the web.

Two lists. `SELF_INSTRUCT` is the one that Self-Instruct and Alpaca published; it counts words, so it
also rejects "the plot of a novel", "a video game" and "I often go to the bathroom". `CAREFUL` asks for
the words around them: what is asked to be made, or is spoken of as if it were there to be seen.
"""

from __future__ import annotations

SELF_INSTRUCT = (
    "image",
    "images",
    "graph",
    "graphs",
    "picture",
    "pictures",
    "file",
    "files",
    "map",
    "maps",
    "draw",
    "plot",
    "go to",
    "video",
    "audio",
    "music",
    "flowchart",
    "diagram",
)
"""Words of the code of Self-Instruct (arXiv 2212.10560), with those that Alpaca added."""

_SEEN = r"(?:images?|pictures?|photos?|photographs?|screenshots?|videos?|video clips?|audio|audio clips?)"
_SEEN_ZH = r"(?:图片|图像|照片|截图|视频|音频|录音|插图)"
_POLITE = r"^(?:please\s+|(?:can|could|would) you\s+(?:please\s+)?)?"
_POLITE_ZH = r"^(?:请|请你|请您|帮我|请帮我|给我|为我|麻烦你?)?"
# What follows a thing that is to be made; "a video game" and "a video script" are texts.
_ENDS = r"(?=\s*(?:[.,;:!?]|$)|\s+(?:of|that|which|showing|with|for|to|about|from|depicting|illustrating)\b)"
_ENDS_ZH = r"(?=\s*(?:[。，；：！？、.,!?]|$)|[来以，]|展示|显示|说明|描述)"
# A picture that is made of characters or written as code is text.
_AS_TEXT = r"(?!.*\b(?:ascii|latex|tikz|svg|html|css|code|javascript|python|mermaid|markdown|text|words)\b)"
_AS_TEXT_ZH = r"(?!.*(?:代码|程序|函数|字符|文字|文本|ascii|svg|html|latex|python|mermaid|markdown))"

CAREFUL = (
    rf"\b(?:this|these|attached|following|given|provided|above|below)\s+(?:\w+\s+)?{_SEEN}\b"
    r"(?!\s+(?:games?|titles?|scripts?|transcripts?|descriptions?|captions?|prompts?|editors?))",
    rf"{_POLITE}{_AS_TEXT}(?:draw|sketch)\s+(?:me\s+)?(?:an?|the|some)\s+"
    r"(?!conclusions?|inferences?|comparisons?|parallels?|distinctions?|analog|lessons?|line\b|plan\b)",
    rf"{_POLITE}{_AS_TEXT}(?:create|generate|make|design|produce|record|take|edit)\s+(?:me\s+)?(?:an?|the|some)\s+"
    rf"(?:[\w-]+\s+){{0,3}}(?:{_SEEN}|drawing|painting|animation|gif|infographic|collage){_ENDS}",
    rf"{_POLITE}(?:watch|listen to|look at|view|transcribe)\s+(?:the|this|that|these)\s+(?:\w+\s+)?"
    rf"(?:{_SEEN}|recording|clip|song|speech)\b",
    rf"{_POLITE}(?:go to|visit|browse to|open|click(?: on)?)\s+(?:https?:|www\.|(?:the|this)\s+(?:\w+\s+)?"
    r"(?:website|web page|webpage|link|url|file|attachment)\b)",
    rf"{_POLITE}play\s+(?:me\s+)?(?:an?|the|some)\s+(?:\w+\s+)?(?:song|music|video|track)\b",
    r"\battached\s+(?:file|document|pdf|spreadsheet|table|dataset|text|article)\b",
    r"https?://\S+\.(?:jpe?g|png|gif|webp|bmp|mp4|mov|mp3|wav)\b",
    r"<image\b|\[(?:image|picture|photo|video|audio)\b[^\]]*\]",
    rf"(?:这|该|此|以下|下面|下列|上面|所给|给定|提供的|附上的|附)的?(?:一?[张幅段个些])?[^，。？！\n]{{0,3}}{_SEEN_ZH}",
    rf"{_POLITE_ZH}{_AS_TEXT_ZH}(?:画|绘制|绘画)(?:一|出|个|幅|张|下)",
    rf"{_POLITE_ZH}{_AS_TEXT_ZH}(?:生成|制作|创建|设计|创作|拍摄|录制|画)(?:一?[张幅段个])?[^，。\n]{{0,6}}?"
    rf"(?:{_SEEN_ZH}|插画|漫画|动画|动图|流程图|示意图|思维导图){_ENDS_ZH}",
    rf"{_POLITE_ZH}(?:观看|收听|打开|点击|访问|浏览|下载)(?:这|该|此|以下|下面|给定|提供|附)[^，。\n]{{0,4}}"
    r"(?:视频|音频|录音|链接|附件|文件|网页|网站|网址)",
    rf"{_POLITE_ZH}播放",
    r"看图(?:写话|说话|作文|回答)|如[上下]?图所示",
    r"[\[【<](?:图片|图像|照片|视频|音频|链接|文章链接)[^\]】>\n]*[\]】>]",
)
"""Regular expressions over the first line of a question, whatever the case."""
