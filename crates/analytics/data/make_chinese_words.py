"""Writes chinese_words.txt: the words of jieba's dictionary (Sun Junyi, MIT) that it counts often enough to matter.

pip install jieba==0.42.1; python make_chinese_words.py
"""

import pathlib

import jieba

LEAST = 20  # Those left out are 2 % of what the dictionary counts; the segmenter's model of unknown words finds most.

HEADER = """# Words of jieba's dictionary (https://github.com/fxsjy/jieba) counted {least} times or more, with their counts.
#
# The MIT License (MIT)
#
# Copyright (c) 2013 Sun Junyi
#
# Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
# documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
# rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
# persons to whom the Software is furnished to do so, subject to the following conditions:
#
# The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
# Software.
#
# THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
# WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
# COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
# OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

"""

source = pathlib.Path(jieba.__file__).with_name("dict.txt")
rows = [line.split()[:2] for line in source.read_text(encoding="utf8").splitlines()]
kept = sorted((word, count) for word, count in rows if int(count) >= LEAST)
target = pathlib.Path(__file__).with_name("chinese_words.txt")
lines = "".join(f"{word} {count}\n" for word, count in kept)
target.write_text(HEADER.format(least=LEAST) + lines, encoding="utf8")
print(len(kept), "words,", target.stat().st_size, "bytes")
