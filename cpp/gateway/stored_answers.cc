#include "gateway/stored_answers.h"

#include <cstring>

namespace seekroute {
namespace {

size_t SizeOf(const StoredAnswer& answer) {
  size_t size = sizeof(StoredAnswer) + answer.generation_id.size() + answer.body.size();
  for (const auto& [name, value] : answer.head.headers) size += name.size() + value.size() + 64;
  return size;
}

}  // namespace

size_t MacHash::operator()(const Mac& mac) const {
  size_t h = 0;
  std::memcpy(&h, mac.data(), sizeof h);  // a MAC is uniform already
  return h;
}

void StoredAnswers::Put(const Mac& name, std::shared_ptr<const StoredAnswer> answer) {
  Erase(name);
  const size_t size = SizeOf(*answer);
  if (answer->body.size() > kMaxStoredAnswerBytes || size > max_bytes_) return;
  while (bytes_ + size > max_bytes_) Erase(entries_.begin());
  bytes_ += size;
  entries_.push_back({name, std::move(answer), size});
  index_.emplace(name, std::prev(entries_.end()));
}

std::shared_ptr<const StoredAnswer> StoredAnswers::Find(const Mac& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : found->second->answer;
}

void StoredAnswers::Erase(const Mac& name) {
  const auto found = index_.find(name);
  if (found != index_.end()) Erase(found->second);
}

void StoredAnswers::Erase(Entries::iterator entry) {
  bytes_ -= entry->size;
  index_.erase(entry->name);
  entries_.erase(entry);
}

void AnswerRecorder::Body(std::string_view bytes) {
  if (too_long_) return;
  too_long_ = answer_.body.size() + bytes.size() > kMaxStoredAnswerBytes;
  if (too_long_) {
    std::string().swap(answer_.body);
  } else {
    answer_.body += bytes;
  }
}

std::shared_ptr<const StoredAnswer> AnswerRecorder::Finish(const std::string& generation_id) {
  if (too_long_) return nullptr;
  answer_.generation_id = generation_id;
  return std::make_shared<const StoredAnswer>(std::move(answer_));
}

}  // namespace seekroute
